"""`./pickly seed` and `./pickly check` as a user types them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.movielens import __main__ as command
from clients.movielens import wheel as wheels
from clients.python import Retry
from tests.clients.movielens.conftest import mint
from tests.clients.movielens.data import FILMS, PEOPLE, RATINGS
from tests.clients.platform import Fault, Platform
from tests.clients.server import free_port

ROOT = Path(__file__).parents[3]
ALL_RIGHT = f"0 differences over {FILMS} things, {PEOPLE} accounts, {RATINGS} picks in the feed\n"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> None:
    """The small data set instead of the real one, and tokens that the platform of the tests takes."""
    monkeypatch.setattr(wheels, "fetch", lambda: wheel)
    monkeypatch.setattr(command, "local_mint", lambda: mint)


def pickly(*arguments: str) -> Result:
    """What `./pickly ARGUMENTS` does."""
    return CliRunner().invoke(command.app, list(arguments))


def test_seed_then_check_is_all_right(address: str) -> None:
    seeded = pickly("seed", "movielens", "--gateway", address)
    checked = pickly("check", "movielens", "--gateway", address)

    assert (seeded.exit_code, checked.exit_code) == (0, 0)
    assert seeded.stdout.startswith(f"accepted {RATINGS} in ")
    assert "do not redistribute" in seeded.stderr
    assert checked.stdout == ALL_RIGHT


def test_a_limit_is_for_both(address: str) -> None:
    where = ("--gateway", address, "--limit", "25")

    assert pickly("seed", "movielens", *where).exit_code == 0
    assert pickly("check", "movielens", *where).exit_code == 0
    assert pickly("check", "movielens", "--gateway", address).exit_code == 1


def test_differences_are_shown_and_fail(address: str, platform: Platform) -> None:
    pickly("seed", "movielens", "--gateway", address)
    platform.tamper_list = lambda path, picks: picks[1:] if "feeds" in path else picks

    text = pickly("check", "movielens", "--gateway", address)
    told = json.loads(pickly("check", "movielens", "--gateway", address, "--json").stdout)

    assert text.exit_code == 1
    assert "latest feed: pick of movielens:" in text.stderr
    assert text.stdout == f"1{ALL_RIGHT[1:]}".replace(f"{RATINGS} picks", f"{RATINGS - 1} picks")
    assert (told["differences"], told["feed"], len(told["first"])) == (1, RATINGS - 1, 1)
    assert told["first"][0]["where"] == "latest feed"


def test_many_differences_are_cut_short(address: str) -> None:
    checked = pickly("check", "movielens", "--gateway", address)

    assert checked.exit_code == 1
    assert f"... and {FILMS + 2 * RATINGS - command.SHOWN} more" in checked.stderr


def test_a_refusal_fails_and_says_why(address: str, platform: Platform) -> None:
    platform.faults.append(Fault("POST", "/v1/picks", 422, body={"type": "/problems/no", "title": "No"}))

    seeded = pickly("seed", "movielens", "--gateway", address)

    assert seeded.exit_code == 1
    assert "422 No" in seeded.stderr
    assert "refused 1" in seeded.stdout


def test_a_gateway_that_stays_away_ends_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FIRST_CONTACT", Retry(total=0.2, first=0.05))
    nowhere = f"http://127.0.0.1:{free_port()}"

    seeded = pickly("seed", "movielens", "--gateway", nowhere)

    assert seeded.exit_code == 2
    assert f"no answer from {nowhere}" in seeded.stderr
    assert "./pickly up" in seeded.stderr
    assert pickly("check", "movielens", "--gateway", nowhere).exit_code == 2


def test_a_gateway_that_goes_away_ends_with_what_was_done_and_how_to_go_on(
    address: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "OUTAGE", Retry(total=3.0, longest=0.5))
    platform.faults += [Fault("POST", "/v1/picks", 503, after=50)] * 1000

    seeded = pickly("seed", "movielens", "--gateway", address, "--concurrency", "4")

    assert seeded.exit_code == 2
    assert "Cut: accepted 50 " in seeded.stderr
    assert "The same command goes on from here" in seeded.stderr


def test_foreign_tokens_end_with_what_to_do(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "local_mint", lambda: lambda handle: f"foreign-{handle}")

    seeded = pickly("seed", "movielens", "--gateway", address)

    assert seeded.exit_code == 2
    assert "does not take tokens of this stack's key" in seeded.stderr


@pytest.mark.parametrize("word", ["seed", "check"])
def test_an_unknown_data_set_is_told_with_those_that_exist(word: str) -> None:
    ran = pickly(word, "netflix")

    assert ran.exit_code == 2
    assert "There is no data set 'netflix'. There is: movielens." in " ".join(ran.stderr.split())


def test_without_a_key_to_sign_tokens_the_way_out_is_told(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PICKLY_SECRETS": str(tmp_path)}
    script = "from clients.movielens.__main__ import explained, local_mint\nwith explained(): local_mint()"

    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert ran.returncode != 0
    assert "No access tokens can be made" in ran.stderr
