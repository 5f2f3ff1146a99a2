"""Mail out of Pickly: one message to one address, through the SMTP server of the settings.

No error of this module quotes an address, a subject, a text, or a server's words, which may quote them.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import Final
from uuid import UUID, uuid4

import aiosmtplib

from infra.runtime.fates import OutageError
from infra.settings import SecretMissingError, Settings

ATOMS: Final = r'[^\s()<>\[\]:;@\\,."]+(?:\.[^\s()<>\[\]:;@\\,."]+)*'
ADDRESS: Final = re.compile(f"{ATOMS}@{ATOMS}")
"""RFC 5322 and 6531 without what nobody has: quoted names, comments, numbers as domains."""
LINE: Final = 76  # RFC 2045: what a line of quoted-printable may have at most
SHORT: Final = 60  # a subject that needs no second line
CRLF: Final = "\r\n"
GOODBYE_SECONDS: Final = 1.0
TOO_LARGE: Final = 552  # RFC 1870: said of the size, which is named together with the sender
LOGIN_WANTED: Final = 530  # RFC 4954: for want of a login, whoever the mail is for


class MailRefusedError(Exception):
    """The server refuses this very mail for good: an address that it does not take, or the content."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A plain text for one person. ValueError when the address or the subject cannot stand in a header.

    The same `id` is the same Message-ID, by which a mailbox recognises a repeat.
    """

    to: str = field(repr=False)  # an address without a name
    subject: str = field(repr=False)
    text: str = field(repr=False)
    id: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        if not (ADDRESS.fullmatch(self.to) and _may_stand_in_a_header(self.to)):
            raise ValueError("this is not the address of one mailbox")
        if not _may_stand_in_a_header(self.subject):
            raise ValueError("a subject has no line breaks, no control characters, and not the signs =?")


async def send(mail: Mail, settings: Settings) -> None:
    """Give the mail to the server; returns when it has taken it.

    MailRefusedError when trying again is useless. OutageError for all that may pass: no server, silence, a
    4xx, and what refuses every mail until somebody mends a setting. A repeat after it may be a second mail.
    """
    failure = await _attempt(mail, settings)
    if failure is not None:  # raised here, where no exception of the library hangs on it as its context
        raise failure


async def _attempt(mail: Mail, settings: Settings) -> OutageError | MailRefusedError | None:
    client = _client(settings)
    content = _content(mail, settings.smtp_from)
    options = [] if mail.to.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
    try:
        async with asyncio.timeout(settings.smtp_seconds):
            if (failure := await _connect(client, settings)) is not None:
                return failure
            await client.sendmail(settings.smtp_from, mail.to, content, mail_options=options)
    except (aiosmtplib.SMTPException, OSError) as error:
        return _meaning(error, settings)
    else:
        await _goodbye(client)
        return None
    finally:
        client.close()


def _client(settings: Settings) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user,
        password=None if settings.smtp_user is None else _password(settings),
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        local_hostname=settings.smtp_from.rpartition("@")[2],  # the machine's own would ask DNS
        timeout=settings.smtp_seconds,
    )


def _password(settings: Settings) -> str:
    try:
        return settings.secret("smtp_password")
    except SecretMissingError as error:
        raise OutageError(f"{error}; PICKLY_SMTP_USER needs it. Mail waits") from None


async def _connect(client: aiosmtplib.SMTP, settings: Settings) -> OutageError | None:
    """What goes wrong before a mail is named is not the mail's fault."""
    try:
        await client.connect()
    except (aiosmtplib.SMTPException, OSError) as error:
        if type(error) is aiosmtplib.SMTPException:
            return _outage("offers no TLS or no login, which the settings want", settings)
        return _outage(_words(error), settings)
    return None


def _meaning(error: Exception, settings: Settings) -> OutageError | MailRefusedError:
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return MailRefusedError("the mail server takes no addresses outside ASCII (SMTPUTF8)")
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if not isinstance(error, aiosmtplib.SMTPResponseException) or not _is_for_good(error):
        return _outage(_words(error), settings)
    what = "the recipient" if isinstance(error, aiosmtplib.SMTPRecipientRefused) else "the content"
    return MailRefusedError(f"the mail server refused {what} for good ({error.code})")


def _is_for_good(error: aiosmtplib.SMTPResponseException) -> bool:
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return error.code == TOO_LARGE
    return 500 <= error.code < 600 and error.code != LOGIN_WANTED


def _words(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return f"answers {error.code} to the sender PICKLY_SMTP_FROM"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"answers {error.code}"
    return f"cannot be reached or does not answer ({type(error).__name__})"


def _outage(what: str, settings: Settings) -> OutageError:
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    return OutageError(f"the mail server {where} {what}. Mail waits; look at it and at PICKLY_SMTP_*")


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    """The mail is taken: nothing that happens now makes that undone."""
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit(timeout=GOODBYE_SECONDS)


def _content(mail: Mail, sender: str) -> bytes:
    policy = SMTP if mail.to.isascii() else SMTPUTF8
    message = EmailMessage(policy=policy.clone(max_line_length=LINE))
    host = sender.rpartition("@")[2]
    message["From"] = Address("Pickly", *sender.split("@"))
    message["To"] = Address("", *mail.to.split("@"))
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{mail.id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte="quoted-printable")
    return _subject(mail.subject) + message.as_bytes()


def _subject(text: str) -> bytes:
    """The line, or lines: EmailMessage would lose spaces where it breaks a long one that is not ASCII."""
    charset = "us-ascii" if text.isascii() and len(text) < SHORT else "utf-8"
    return f"Subject: {Header(text, charset, header_name='Subject').encode(linesep=CRLF)}{CRLF}".encode()


def _may_stand_in_a_header(text: str) -> bool:
    """The library decodes `=?utf-8?q?=0A?=` before it writes a header, so a line break can hide in that."""
    return text.isprintable() and "=?" not in text
