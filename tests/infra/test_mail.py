"""Mail arrives whole in a real mailbox; nothing can be smuggled into its head."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from infra.mail import Mail, send
from infra.maildir import read
from infra.settings import Settings

WRITABLE = st.characters(exclude_categories=["Cs"])
HEADED = st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" üж")


def someone() -> str:
    """An address that nobody else in this run has."""
    return f"{uuid4().hex}@example.org"


def received(settings: Settings, to: str) -> list[EmailMessage]:
    """What the mailbox holds for an address."""
    assert settings.mailbox is not None
    return [mail for mail in read(settings.mailbox) if to in mail.get_all("Delivered-To", [])]


def lines(text: str) -> list[str]:
    """A text as a mail keeps it: every kind of line break is one, and the last is not counted."""
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


async def test_a_mail_arrives_whole(settings: Settings) -> None:
    # given
    mail = Mail(someone(), "Prove your address", "Hello,\n\nthe code is 123.\n")
    before = datetime.now(UTC)
    # when
    await send(mail, settings)
    # then
    (found,) = received(settings, mail.to)
    assert found.items()[1:] == [
        ("Subject", mail.subject),
        ("From", "Pickly <pickly@localhost>"),
        ("To", mail.to),
        ("Date", found["Date"]),
        ("Message-ID", f"<{mail.id}@localhost>"),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "quoted-printable"),
        ("MIME-Version", "1.0"),
    ]
    assert abs(parsedate_to_datetime(found["Date"]) - before) < timedelta(minutes=5)
    assert lines(found.get_content()) == lines(mail.text)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Grüße an Łukasz, 你好, 🎬 " * 9 + "x", "Zażółć gęślą jaźń 🎬\n" * 99),
        ("one word of " + "x" * 900, "y" * 5000),
        ("dots", ".\n..\n.\r\n.x\n\n.\n"),
        ("From here", "From the first line\nFrom the second\n>From the third\n"),
        ("white space", "  before, after  \n\ttab\t\n \n\n\n"),
        ("only one break", "\n"),
        ("nothing", ""),
        ("control characters", "\0 \x1b[2J \x7f \x85 \u2028 bare\rreturn"),
    ],
)
async def test_subject_and_text_are_read_as_they_were_written(
    settings: Settings, subject: str, text: str
) -> None:
    mail = Mail(someone(), subject, text)
    await send(mail, settings)
    (found,) = received(settings, mail.to)
    assert found["Subject"] == subject
    assert lines(found.get_content()) == lines(text)


@effort(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=st.text(HEADED, min_size=1, max_size=300).map(str.strip), text=st.text(WRITABLE))
def test_any_text_arrives(settings: Settings, subject: str, text: str) -> None:
    mail = Mail(someone(), subject.replace("=?", "="), text)
    asyncio.run(send(mail, settings))
    (found,) = received(settings, mail.to)
    assert (found["Subject"], lines(found.get_content())) == (mail.subject, lines(text))


@pytest.mark.parametrize("local", ["o'brien+tag=x", "łukasz.ü", "{a}|b~c!", "x" * 64])
async def test_every_usual_address_is_reached(settings: Settings, local: str) -> None:
    for host in ("example.org", "exämple.org"):
        to = f"{local}{uuid4().hex}@{host}"
        await send(Mail(to, "Hello", "Hello"), settings)
        (found,) = received(settings, to)
        assert found["To"] == to


async def test_a_repeat_has_the_same_message_id(settings: Settings) -> None:
    mail = Mail(someone(), "Twice", "Twice")
    await send(mail, settings)
    await send(Mail(mail.to, "Twice", "Twice", mail.id), settings)
    first, second = received(settings, mail.to)
    assert first["Message-ID"] == second["Message-ID"]


async def test_the_sender_is_a_setting(settings: Settings) -> None:
    mail = Mail(someone(), "Hello", "Hello")
    await send(mail, settings.model_copy(update={"smtp_from": "no-reply@pickly.example"}))
    (found,) = received(settings, mail.to)
    assert found["From"] == "Pickly <no-reply@pickly.example>"
    assert found["Message-ID"] == f"<{mail.id}@pickly.example>"


@pytest.mark.parametrize(
    "address",
    [
        "ana@example.org\r\nBcc: eve@example.org",
        "ana@example.org\nRCPT TO:<eve@example.org>",
        "ana@example.org\r",
        "ana@example.org\0",
        "ana@example.org\u2028",
        "ana@example.org> SIZE=1",
        "ana@example.org, eve@example.org",
        "ana@example.org;eve@example.org",
        "Ana <ana@example.org>",
        "ana@example.org(a comment)",
        '"ana\r\n"@example.org',
        "=?utf-8?q?ana=0d=0aBcc?=@example.org",
        "ana@[127.0.0.1]",
        "ana @example.org",
        "ana@@example.org",
        "ana@example.org@example.net",
        ".ana@example.org",
        "ana@example..org",
        "ana@",
        "@example.org",
        "ana",
        "",
    ],
)
def test_what_is_not_one_address_is_refused_and_not_quoted(address: str) -> None:
    with pytest.raises(ValueError, match="not the address of one mailbox") as caught:
        Mail(address, "Hello", "Hello")
    assert not address or address not in str(caught.value)


@pytest.mark.parametrize(
    "subject",
    [
        "Hello\r\nBcc: eve@example.org",
        "Hello\nthere",
        "Hello\rthere",
        "Hello\x00",
        "Hello\u2028there",
        "Hello\u202ethere",
        "Hello\udc80",
        "Hello =?utf-8?q?=0d=0aBcc:_eve=40example.org?=",
        "Hello =?utf-8?b?DQpCY2M6IGV2ZQ==?=",
    ],
)
def test_a_subject_that_could_bring_its_own_head_is_refused_and_not_quoted(subject: str) -> None:
    with pytest.raises(ValueError, match="a subject has no line breaks") as caught:
        Mail("ana@example.org", subject, "Hello")
    assert "Hello" not in str(caught.value)


async def test_a_text_cannot_end_the_mail_or_begin_a_command(settings: Settings) -> None:
    mail = Mail(
        someone(), "Hello", f"before\r\n.\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<{someone()}>\r\n"
    )
    await send(mail, settings)
    (found,) = received(settings, mail.to)
    assert lines(found.get_content()) == lines(mail.text)


def test_a_mail_shows_its_id_only() -> None:
    mail = Mail("ana@example.org", "Hello", "the code is 123")
    assert repr(mail) == f"Mail(id={mail.id!r})"
