"""`python -m infra.ops.mail`: the mails in the local stack's mailbox, the newest last, as text or JSON."""

import json
import time
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Final, TypedDict

import typer

from infra.maildir import read
from infra.ops.complaints import complaining
from infra.settings import settings

LOOK_EVERY: Final = 0.2
SEPARATOR: Final = f"\n\n{'-' * 60}\n\n"
UNREADABLE: Final = "(unreadable)"
NO_MAILBOX: Final = (
    "there is no mailbox here. Start the stack with ./pickly up; elsewhere ask your mail server."
)


class Shown(TypedDict):
    """One mail for programs; the fields of its head decoded, the date as ISO 8601, or empty."""

    id: str
    sender: str
    to: str
    subject: str
    date: str
    text: str


class NoMailboxError(Exception):
    """No folder is configured that could hold mails."""


def main(
    to: Annotated[str, typer.Option(help="only what went to this address")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    wait: Annotated[float, typer.Option(min=0, help="seconds to wait for the first one")] = 0,
) -> None:
    """Show the mails in the local mailbox, the newest last; the exit code is 1 when there is none."""
    with complaining("mail", NoMailboxError):
        found = [show(mail) for mail in waiting(_folder(), to, wait)]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        typer.echo(SEPARATOR.join(map(table, found)) or f"No mail{f' to {to}' if to else ''} yet.")
    raise typer.Exit(0 if found else 1)


def _folder() -> Path:
    folder = settings().mailbox
    if folder is None:
        raise NoMailboxError(NO_MAILBOX)
    return folder


def waiting(folder: Path, to: str, seconds: float) -> list[EmailMessage]:
    """The mails, of one address if `to` is given; when there is none, again until the seconds are over."""
    deadline = time.monotonic() + seconds
    while not (found := [mail for mail in read(folder) if not to or is_to(mail, to)]):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(LOOK_EVERY, left))
    return found


def is_to(mail: EmailMessage, address: str) -> bool:
    """Whether it was delivered to this address, in upper or lower case."""
    return address.casefold() in (str(to).casefold() for to in mail.get_all("Delivered-To", []))


def show(mail: EmailMessage) -> Shown:
    """What there is to see of a mail."""
    return {
        "id": _head(mail, "Message-ID"),
        "sender": _head(mail, "From"),
        "to": _head(mail, "To"),
        "subject": _head(mail, "Subject"),
        "date": _date(mail),
        "text": _text(mail),
    }


def table(mail: Shown) -> str:
    """A mail for people."""
    heads = {"From": mail["sender"], "To": mail["to"], "Subject": mail["subject"], "Date": mail["date"]}
    lines = [f"{name + ':':<9}{printable(value, kept='')}" for name, value in heads.items()]
    return "\n".join([*lines, "", printable(mail["text"], kept="\n\t").rstrip()])


def printable(text: str, kept: str) -> str:
    """Control characters as escapes, except those in `kept`: a mail must not drive the terminal."""
    return "".join(
        char if char.isprintable() or char in kept else char.encode("unicode_escape").decode()
        for char in text
    )


def _head(mail: EmailMessage, name: str) -> str:
    try:
        return str(mail.get(name, ""))
    except Exception:  # the library's parser falls over some broken heads; the other mails are still shown
        return UNREADABLE


def _date(mail: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(_head(mail, "Date")).isoformat()
    except ValueError:
        return ""


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain", "html"))
    content = None if body is None else body.get_payload(decode=True)
    if body is None or not isinstance(content, bytes):
        return ""
    try:
        text = content.decode(body.get_content_charset("utf-8"), "replace")
    except LookupError:  # a character set that nobody knows
        text = content.decode(errors="replace")
    return text.replace("\r\n", "\n")


if __name__ == "__main__":
    typer.run(main)
