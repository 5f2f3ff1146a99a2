"""The folder of the local stack's mailbox: a Maildir with a private file for each mail, the newest thousand.

A mail is written under `tmp`, flushed to disk, and only then linked where readers look: no crash shows half.
"""

import mailbox
import re
from collections import deque
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Final

KEPT: Final = 1000
FOLDERS: Final = ("tmp", "new", "cur")
# How the standard library names a mail: second, microsecond, process, and a count in that process.
NAME: Final = re.compile(r"(\d+)\.M(\d+)P\d+Q(\d+)\.")


class Maildir:
    """The folder as its only writer sees it; made when it is not there yet."""

    def __init__(self, folder: Path) -> None:
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for half in (folder / "tmp").iterdir():
            half.unlink()
        self._box = mailbox.Maildir(folder, create=False)
        self._keys = deque(_in_order(self._box))

    def add(self, content: bytes) -> None:
        """Keep a mail, durably; the oldest ones make room. OSError when it cannot be written."""
        self._keys.append(self._box.add(content))
        while len(self._keys) > KEPT:
            self._box.discard(self._keys.popleft())


def read(folder: Path) -> list[EmailMessage]:
    """The mails in the order of their arrival; none when there is no such folder."""
    try:
        box = mailbox.Maildir(folder, create=False)
        contents = [_content(box, key) for key in _in_order(box)]
    except (mailbox.NoSuchMailboxError, FileNotFoundError):
        return []
    return [message_from_bytes(content, policy=default) for content in contents if content is not None]


def _in_order(box: "mailbox.Maildir") -> list[str]:
    return sorted(box.keys(), key=_moment)


def _moment(key: str) -> tuple[int, ...]:
    found = NAME.match(key)
    return tuple(map(int, found.groups())) if found else ()


def _content(box: "mailbox.Maildir", key: str) -> bytes | None:
    try:
        return box.get_bytes(key)
    except (KeyError, FileNotFoundError):  # it made room meanwhile
        return None
