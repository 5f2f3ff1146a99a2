"""`./pickly dead` as people call it: what it prints, what it refuses, and its exit codes."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator

import pytest

from infra.ops.migrate import migrate
from infra.settings import Settings
from schemas.envelope import CONTRACT
from tests.infra.ops.dead_people import SECRET, Curation, address, curating, pick


@pytest.fixture
async def team(empty: Settings) -> AsyncIterator[Curation]:
    await migrate(empty)
    async with curating(empty) as made:
        yield made


async def dead(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `./pickly dead ARGUMENTS`."""
    own = {"PICKLY_DATABASE": settings.database, "PICKLY_SECRETS": str(settings.secrets), "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.ops.dead", *arguments),
        env=os.environ | own,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_a_letter_is_found_shown_masked_and_replayed(team: Curation) -> None:
    died = pick("a")
    await team.take(died)

    code, listed = await dead(team.settings, "list", "--json")
    (row,) = json.loads(listed)
    assert (code, row["type"], row["reason"], row["letters"]) == (0, "PublishPick", "handler_failed", 1)
    assert row["example"] == address(died, 0)
    assert row["schema_version"] == CONTRACT
    for version, found in ((CONTRACT, True), ("-", False)):
        code, listed = await dead(team.settings, "list", "--schema-version", version)
        assert (code, "PublishPick" in listed) == (0, found)

    code, shown = await dead(team.settings, "show", row["example"])
    assert code == 0
    assert str(died.author_id) in shown
    assert "ValueError" in shown
    assert SECRET not in shown

    code, told = await dead(team.settings, "replay", "--schema-version", "0.0.1", "--dry-run")
    assert (code, told) == (0, "would replay this many letters: 0; nothing was changed\n")
    code, told = await dead(team.settings, "replay", "--all", "--dry-run")
    assert (code, told) == (0, "would replay this many letters: 1; nothing was changed\n")
    async with team.replaying():
        code, told = await dead(team.settings, "replay", row["example"])
    assert (code, told) == (0, "1 replayed\n")
    assert await dead(team.settings, "list") == (0, "no dead letters\n")
    code, listed = await dead(team.settings, "list", "--state", "closed")
    assert "PublishPick" in listed


async def test_a_letter_is_dropped_for_a_reason(team: Curation) -> None:
    died = pick("a")
    await team.take(died)

    code, told = await dead(team.settings, "drop", address(died, 0))
    assert (code, "--reason" in told) == (2, True)
    code, told = await dead(team.settings, "drop", address(died, 0), "--reason", " ")
    assert (code, "say why" in told) == (2, True)
    async with team.replaying():
        code, told = await dead(team.settings, "drop", address(died, 0), "--reason", "spam")
    assert (code, told.startswith("1 dropped")) == (0, True)
    code, told = await dead(team.settings, "drop", address(died, 0), "--reason", "spam")
    assert (code, "is not open but dropped" in told) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["replay"], 2, "name one letter"),
        (["replay", "--all", "--group", "curation"], 2, "name one letter"),
        (["replay", "curation/pick.commands/0"], 1, "GROUP/TOPIC/PARTITION/OFFSET"),
        (["replay", "curation/pick.commands/0/7"], 1, "there is no letter"),
        (["show", "nobody/a.b/0/0"], 1, "there is no letter"),
        (["list", "--state", "lost"], 2, "is none of"),
        (["replay", "--all"], 0, "no open letter matches"),
    ],
)
async def test_what_cannot_be_done_is_said_and_how_to_do_it(
    team: Curation, arguments: list[str], code: int, words: str
) -> None:
    done, told = await dead(team.settings, *arguments)

    assert (done, words in " ".join(told.replace("│", " ").split())) == (code, True), told


async def test_without_secrets_it_says_what_is_missing(team: Curation) -> None:
    lost = team.settings.model_copy(update={"secrets": team.settings.secrets / "nowhere"})

    code, told = await dead(lost, "list")

    assert code == 1
    assert "pg_ops" in told
    assert "./pickly status" in told
