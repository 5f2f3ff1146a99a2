"""The local stack's SMTP server: it takes mail for everybody and delivers none; `./pickly mail` shows it.

`python -m infra.local.mailbox FOLDER PORT` runs it.
"""

import asyncio
import logging
import os
import smtplib
import sys
from pathlib import Path
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.local.parts import Part
from infra.local.ports import HOST
from infra.maildir import Maildir

PORTS: Final = ("mail",)
NAME: Final = "mailbox.localhost"
LARGEST: Final = 2**20
IDLE_SECONDS: Final = 60
PROBE_SECONDS: Final = 2


def part(folder: Path, logs: Path, ports: dict[str, int]) -> Part:
    """The server with its mails in `folder`."""
    port = ports["mail"]
    return Part(
        name="mail",
        command=lambda: [sys.executable, "-m", "infra.local.mailbox", str(folder), str(port)],
        folder=folder,
        log=logs / "mail.log",
        ready=lambda: probe(port),
        port=port,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def probe(port: int) -> str | None:
    """None when it greets, else why not."""
    try:
        with smtplib.SMTP(HOST, port, local_hostname=NAME, timeout=PROBE_SECONDS) as client:
            client.noop()
    except OSError as error:  # smtplib's own errors are of this kind too
        return f"no answer on port {port} ({type(error).__name__})"
    return None


class Delivery:
    """What the server does with a mail that has arrived whole."""

    def __init__(self, maildir: Maildir) -> None:
        self._maildir = maildir

    async def handle_DATA(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep it with its true recipients on top; the sender hears of success when it is on disk."""
        recipients = "".join(f"Delivered-To: {address}\r\n" for address in envelope.rcpt_tos)
        self._maildir.add(recipients.encode(errors="surrogateescape") + (envelope.original_content or b""))
        return "250 2.0.0 kept"

    async def handle_exception(self, error: Exception) -> str:
        """Ask the sender to come again; the library would answer and log the error's text."""
        why = (error.strerror if isinstance(error, OSError) else None) or ""
        sys.stderr.write(f"a mail was not kept: {type(error).__name__} {why}\n")
        return "451 4.3.0 not kept; try again"


async def serve(folder: Path, port: int) -> None:
    """Take mail until the process is ended, which it may be at any moment."""
    delivery = Delivery(Maildir(folder))
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            delivery,
            hostname=NAME,
            ident="Pickly",
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            timeout=IDLE_SECONDS,
            loop=loop,
        )

    server = await loop.create_server(session, HOST, port)
    await server.serve_forever()


def main() -> int:
    """Run the server; its log never holds an address."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m infra.local.mailbox FOLDER PORT")
    os.umask(0o077)
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
