"""`./pickly mail` as people and programs call it."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from infra.maildir import Maildir
from infra.ops.mail import waiting

HELLO = (
    b"Delivered-To: Ana@example.org\r\nFrom: Pickly <pickly@localhost>\r\nTo: Ana@example.org\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Tue, 24 Nov 2026 17:45:35 +0000\r\n"
    b"Message-ID: <1@localhost>\r\n"
    b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    b"the code is=20\r\n=C3=BC 123\r\n"
)
SECOND = b"Delivered-To: bob@example.org\r\nTo: bob@example.org\r\nSubject: Second\r\n\r\nHello\r\n"
HOSTILE = (
    b"To: \x1b[1m\r\nSubject: =?utf-8?q?=1b]0;x=07_=0aFrom:_boss?=\r\nDate: never\r\nMessage-ID: <[\r\n"
    b"Content-Type: text/plain; charset=nobody\r\n\r\n\x1b[2J\x9b\x7f\x00\xff \xe2\x80\xae\r\n"
    b"\tkept\rback\r\n"
)


async def mail(folder: Path | None, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `./pickly mail ARGUMENTS`."""
    own = {"COLUMNS": "200"} | ({"PICKLY_MAILBOX": str(folder)} if folder else {})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.ops.mail", *arguments),
        env={name: text for name, text in os.environ.items() if name != "PICKLY_MAILBOX"} | own,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.fixture
def box(tmp_path: Path) -> Maildir:
    return Maildir(tmp_path / "mail")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mail"


async def test_people_read_every_mail_decoded_the_newest_last(box: Maildir, folder: Path) -> None:
    box.add(HELLO)
    box.add(SECOND)
    code, out = await mail(folder)
    first, second = out.split(f"\n\n{'-' * 60}\n\n")
    assert code == 0
    assert first.splitlines() == [
        "From:    Pickly <pickly@localhost>",
        "To:      Ana@example.org",
        "Subject: Grüße",
        "Date:    2026-11-24T17:45:35+00:00",
        "",
        "the code is ",
        "ü 123",
    ]
    assert second.splitlines()[2:] == ["Subject: Second", "Date:    ", "", "Hello"]


async def test_programs_read_json(box: Maildir, folder: Path) -> None:
    box.add(HELLO)
    code, out = await mail(folder, "--json")
    assert code == 0
    assert json.loads(out) == [
        {
            "id": "<1@localhost>",
            "sender": "Pickly <pickly@localhost>",
            "to": "Ana@example.org",
            "subject": "Grüße",
            "date": "2026-11-24T17:45:35+00:00",
            "text": "the code is \nü 123\n",
        }
    ]


async def test_an_address_chooses_in_upper_or_lower_case(box: Maildir, folder: Path) -> None:
    box.add(HELLO)
    box.add(SECOND)
    _, out = await mail(folder, "--json", "--to", "aNA@example.ORG")
    assert [each["to"] for each in json.loads(out)] == ["Ana@example.org"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "No mail yet.\n"),
        (("--to", "eve@example.org"), "No mail to eve@example.org yet.\n"),
        (("--json",), "[]\n"),
    ],
)
async def test_nothing_there_is_said_and_shows_in_the_exit_code(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert await mail(folder, *arguments) == (1, said)


async def test_a_stack_without_mailbox_says_what_to_do(tmp_path: Path) -> None:
    code, out = await mail(None)
    assert code == 1
    assert "there is no mailbox here" in out
    assert "./pickly up" in out


def test_it_looks_again_until_a_mail_has_come(
    box: Maildir, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.add(SECOND)
    monkeypatch.setattr(time, "sleep", lambda _: box.add(HELLO))
    (found,) = waiting(folder, "ana@example.org", 60)
    assert found["Message-ID"] == "<1@localhost>"


async def test_waiting_ends(folder: Path) -> None:
    assert await mail(folder, "--wait", "0.3") == (1, "No mail yet.\n")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
async def test_a_hostile_mail_does_not_drive_the_terminal_or_hide_the_others(
    box: Maildir, folder: Path, arguments: tuple[str, ...]
) -> None:
    box.add(HOSTILE)
    box.add(SECOND)
    code, out = await mail(folder, *arguments)
    assert code == 0
    assert "Second" in out
    assert not [char for char in out if not char.isprintable() and char not in "\n\t"]
    assert not [line for line in out.splitlines() if line.startswith("From: boss")]
    assert "kept" in out
