"""The tour of docs/runbooks/a-bug-in-a-handler.md: bug, dead letters, parked keys, fix, replay, whole."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.journeys.conftest import Person
from tests.journeys.stack import PARTS, Stack, until

ANY = {"if-match": "*"}
BUGGY = ("tests.journeys.buggy_curation",)


@pytest.fixture
def buggy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """The stack with a release of `curation` that has a bug; call it to release the fix."""
    stack.kill("curation")
    monkeypatch.setitem(PARTS, "curation", BUGGY)
    stack.start("curation")

    def release_the_fix() -> None:
        monkeypatch.undo()
        stack.kill("curation")
        stack.start("curation")

    yield release_the_fix
    if PARTS["curation"] == BUGGY:
        release_the_fix()


def pickly(stack: Stack, module: str, *words: str) -> tuple[int, str]:
    """Exit code and output of a tool of ops, as `./pickly` runs it on this stack."""
    own = {"PYTHONPATH": str(Path.cwd()), "COLUMNS": "130"}
    done = subprocess.run(
        [sys.executable, "-m", f"infra.ops.{module}", *words],
        env=os.environ | stack.env | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def told(stack: Stack, module: str, *words: str) -> Any:
    """What a tool prints as JSON."""
    code, out = pickly(stack, module, *words, "--json")
    assert code == 0, out
    return json.loads(out)


def status(who: Person, answer: httpx.Response) -> str:
    """What the command's own page says of it."""
    url = who.http.base_url.join(answer.headers["location"])
    document: dict[str, str] = httpx.get(url, headers=who.http.headers, timeout=30).json()
    return document["status"]


def counted(rows: Any) -> set[tuple[str, str, str, int, int]]:
    """`dead list`, the part that a test can know."""
    return {(r["group"], r["type"], r["reason"], r["letters"], r["parked"]) for r in rows}


async def test_a_bug_in_a_handler_is_seen_mended_and_replayed_and_everything_is_whole(
    person: Callable[[], Person], stack: Stack, buggy: Callable[[], None], ref: str
) -> None:
    ana, bo = person(), person()
    thing = {"ref": ref, "kind": "film", "title": "A film"}
    published = await ana.http.post("/v1/picks", json={"thing": thing, "rating": 0.5})
    here = published.json()["resource"]
    edited = await ana.http.patch(here, json={"note": "not my film"}, headers=ANY)

    until(lambda: status(ana, edited) == "delayed", "the edit parked")
    others = await bo.publishes(ref, rating=4)

    assert (published.status_code, status(ana, published), others.status_code) == (202, "delayed", 201)
    assert counted(told(stack, "dead", "list")) == {
        ("curation", "PublishPick", "handler_failed", 1, 0),
        ("curation", "EditPick", "parked", 1, 1),
    }
    assert told(stack, "lag")["total"]["parked_keys"] == 1
    steps = told(stack, "trace", here.removeprefix("/v1/"))["journeys"]
    assert [(s["decision"]["status"], s["letters"][0]["parked"]) for s in steps] == [
        ("parked", False), ("parked", True),
    ]  # fmt: skip

    buggy()
    code, text = pickly(stack, "dead", "replay", "--group", "curation")

    assert (code, text) == (0, "2 replayed\n")
    until(lambda: status(ana, edited) == "done", "the edit done")
    assert status(ana, published) == "done"
    pick = (await bo.http.get(here)).json()
    assert (pick["rating"], pick["note"], pick["version"]) == (0.5, "not my film", 2)
    shown = (await bo.http.get("/v1/things", params={"ref": ref})).json()["items"][0]
    assert (shown["pick_count"], shown["rating_mean"]) == (2, 2.25)
    assert told(stack, "dead", "list") == []
    assert told(stack, "lag")["total"]["parked_keys"] == 0
