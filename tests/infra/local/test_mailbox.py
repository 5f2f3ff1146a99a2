"""The mailbox of the local stack: whole mails only, private, the newest thousand, whatever kills it."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from infra import maildir
from infra.local import mailbox
from infra.local.parts import Part, launch, wait_ready
from infra.local.ports import TESTS, choose
from infra.mail import Mail, MailRefusedError, send
from infra.maildir import Maildir, read
from infra.runtime.fates import OutageError
from infra.settings import Settings

TEXT = "".join(f"line {number}\n" for number in range(2000))


class Server(NamedTuple):
    """A mailbox of a test's own."""

    part: Part
    folder: Path
    settings: Settings
    processes: list[subprocess.Popen[bytes]]

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.processes.append(launch(self.part))
        await asyncio.to_thread(wait_ready, self.part, self.processes[-1], 60)

    def kill(self) -> None:
        """As kill -9 does."""
        self.processes[-1].kill()
        self.processes[-1].wait()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    numbers = choose(mailbox.PORTS, span=TESTS)
    part = mailbox.part(tmp_path / "mail", tmp_path / "logs", numbers)
    made = Server(part, tmp_path / "mail", Settings(smtp_port=numbers["mail"]), [])
    await made.start()
    yield made
    made.kill()


def subjects(folder: Path) -> list[str]:
    return [mail["Subject"] for mail in read(folder)]


async def test_every_acknowledged_mail_is_there_and_whole_after_kill_9_again_and_again(
    server: Server,
) -> None:
    # given people who send without pause, and note what was taken
    taken: list[str] = []

    async def sending(name: str, one_more: asyncio.Semaphore) -> None:
        for number in range(10_000):
            try:
                await send(Mail("ana@example.org", f"{name}-{number}", TEXT), server.settings)
            except OutageError:
                return
            taken.append(f"{name}-{number}")
            one_more.release()

    for life in range(3):
        # when it is killed among them
        one_more = asyncio.Semaphore(0)
        senders = [asyncio.create_task(sending(f"{life}-{sender}", one_more)) for sender in range(4)]
        for _ in range(15):
            await one_more.acquire()
        server.kill()
        await asyncio.gather(*senders)
        # then readers see whole mails only, before it is back and after
        for _ in range(2):
            found = read(server.folder)
            assert {mail["Subject"] for mail in found} >= set(taken)
            assert {mail.get_content().replace("\r\n", "\n") for mail in found} == {TEXT}
            await server.start()
            server.kill()
        await server.start()


async def test_it_says_on_top_whom_a_mail_was_for(server: Server) -> None:
    await send(Mail("łukasz@example.org", "Hello", "Hello"), server.settings)
    (found,) = read(server.folder)
    assert found.items()[0] == ("Delivered-To", "łukasz@example.org")


async def test_only_its_owner_reads_it(server: Server) -> None:
    await send(Mail("ana@example.org", "Hello", "Hello"), server.settings)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [server.folder, *server.folder.rglob("*")]}
    assert modes == {0o700, 0o600}


async def test_what_is_too_large_is_refused_for_good(server: Server) -> None:
    with pytest.raises(MailRefusedError, match="552"):
        await send(Mail("ana@example.org", "Large", "x" * mailbox.LARGEST), server.settings)
    assert read(server.folder) == []


async def test_what_cannot_be_written_is_not_acknowledged_and_the_log_says_why_without_a_name(
    server: Server,
) -> None:
    shutil.rmtree(server.folder / "tmp")
    with pytest.raises(OutageError, match="answers 451"):
        await send(Mail("ana@example.org", "Hello", "Hello"), server.settings)
    (server.folder / "tmp").mkdir()
    await send(Mail("ana@example.org", "Again", "Hello"), server.settings)
    assert subjects(server.folder) == ["Again"]
    assert server.part.log.read_text() == "a mail was not kept: FileNotFoundError No such file or directory\n"


async def test_its_probe_tells_a_frozen_one_and_a_dead_one(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "PROBE_SECONDS", 0.2)
    os.kill(server.processes[-1].pid, signal.SIGSTOP)
    assert f"no answer on port {server.part.port}" in str(server.part.ready())
    os.kill(server.processes[-1].pid, signal.SIGCONT)
    monkeypatch.undo()
    assert server.part.ready() is None
    server.kill()
    assert f"no answer on port {server.part.port} (ConnectionRefusedError)" == server.part.ready()


def test_the_newest_stay_and_the_oldest_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maildir, "KEPT", 3)
    for start in (0, 5):  # a writer that begins anew goes on where the last one was
        box = Maildir(tmp_path)
        for number in range(start, start + 5):
            box.add(f"Subject: {number}\r\n\r\n".encode())
    assert subjects(tmp_path) == ["7", "8", "9"]


def test_mails_are_in_the_order_of_arrival_and_not_of_their_names(tmp_path: Path) -> None:
    Maildir(tmp_path)
    names = ["9.M999P1Q1.x", "10.M5P1Q2.x", "10.M12P1Q3.x", "10.M12P1Q10.x", "11.M0P1Q4.x"]
    for name in reversed(names):
        (tmp_path / "new" / name).write_text(f"Subject: {name}\n\n")
    assert subjects(tmp_path) == names


def test_half_a_mail_is_never_shown_and_goes_with_the_next_start(tmp_path: Path) -> None:
    Maildir(tmp_path)
    half = tmp_path / "tmp" / "1.M1P1Q1.x"
    half.write_text("Subject: ha")
    assert subjects(tmp_path) == []
    Maildir(tmp_path)
    assert not half.exists()


def test_a_folder_that_is_not_there_or_half_made_has_no_mails(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    assert read(tmp_path / "none") == read(tmp_path / "half") == []
