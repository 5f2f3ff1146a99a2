"""Sending mail to servers that are away, silent, rude or not ours: what passes, what does not, and that no
error and no log line quotes an address, a subject or a text."""

import asyncio
import logging
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.local.ports import TESTS, choose
from infra.mail import Mail, MailRefusedError, send
from infra.runtime.fates import Fate, OutageError, fate_of
from infra.settings import Settings
from infra.telemetry.errors import chain, describe
from tests.infra.mail_servers import Deaf, Rude, certificate, checks, smtp, tcp

MAIL = Mail("ana.secret@example.org", "Subject-secret", "Text-secret")


def to(port: int, **more: object) -> Settings:
    """Settings of a server on this port of this machine."""
    return Settings.model_validate({"smtp_port": port, **more})


async def failing(settings: Settings, mail: Mail = MAIL) -> Exception:
    """What sending the mail raises, after a look at whether that quotes anything."""
    with pytest.raises((OutageError, MailRefusedError)) as caught:
        await send(mail, settings)
    error = caught.value
    shown = f"{error!r} {error.args} {vars(error)} {describe(error)} {chain(error)}"
    assert "secret" not in shown
    assert (error.__cause__, error.__context__) == (None, None)
    return error


async def test_a_closed_port_is_an_outage() -> None:
    (port,) = choose(["nobody"], span=TESTS).values()
    error = await failing(to(port))
    assert fate_of(error) is Fate.OUTAGE
    assert f"127.0.0.1:{port} cannot be reached" in str(error)
    assert "PICKLY_SMTP_*" in str(error)


async def test_a_host_without_address_is_an_outage() -> None:
    assert fate_of(await failing(to(25, smtp_host="nobody.invalid"))) is Fate.OUTAGE


async def test_a_server_that_says_nothing_is_an_outage_within_the_time_of_the_settings() -> None:
    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp(silent) as port:
        assert fate_of(await failing(to(port, smtp_seconds=0.2))) is Fate.OUTAGE


async def test_a_server_that_dribbles_is_an_outage_within_the_time_of_the_settings() -> None:
    answers = iter([b"220 hello\r\n", b"250 hello\r\n", b"250 sender\r\n"])

    async def dribbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            writer.write(answer)
            await reader.readline()
        await reader.read()

    async with tcp(dribbling) as port:
        assert fate_of(await failing(to(port, smtp_seconds=0.5))) is Fate.OUTAGE
    assert next(answers, None) is None


@pytest.mark.parametrize("greeting", [b"", b"220 hello\r\n", b"554 not you\r\n", b"421 busy\r\n", b"???\r\n"])
async def test_a_server_that_hangs_up_or_turns_everybody_away_is_an_outage(greeting: bytes) -> None:
    async def closing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)

    async with tcp(closing) as port:
        assert fate_of(await failing(to(port))) is Fate.OUTAGE


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
@pytest.mark.parametrize("answer", ["421 busy", "450 4.2.1 <%s> is full", "451 later", "452 no room"])
async def test_a_refusal_for_now_is_an_outage(step: str, answer: str) -> None:
    async with smtp(Rude(step, answer)) as port:
        error = await failing(to(port))
    assert fate_of(error) is Fate.OUTAGE
    assert f"answers {answer[:3]}" in str(error)


@pytest.mark.parametrize(("step", "what"), [("RCPT", "the recipient"), ("DATA", "the content")])
@pytest.mark.parametrize("answer", ["550 5.1.1 <%s>: unknown", "552 too much", "554 no"])
async def test_a_refusal_for_good_is_told_from_an_outage(step: str, what: str, answer: str) -> None:
    async with smtp(Rude(step, answer)) as port:
        error = await failing(to(port))
    assert fate_of(error) is Fate.DEFECT
    assert str(error) == f"the mail server refused {what} for good ({answer[:3]})"


@pytest.mark.parametrize(("step", "answer"), [("MAIL", "550 not from you"), ("RCPT", "530 log in first")])
async def test_a_refusal_that_a_setting_causes_is_an_outage(step: str, answer: str) -> None:
    async with smtp(Rude(step, answer)) as port:
        assert fate_of(await failing(to(port))) is Fate.OUTAGE


async def test_a_mail_that_is_too_large_is_refused_for_good() -> None:
    async with smtp(Rude(), data_size_limit=1000) as port:
        error = await failing(to(port), Mail(MAIL.to, MAIL.subject, "Text-secret" * 1000))
    assert str(error) == "the mail server refused the content for good (552)"


async def test_an_address_beyond_ascii_is_refused_for_good_by_a_server_that_cannot_have_it() -> None:
    async with smtp(Rude()) as port:
        error = await failing(to(port), Mail("änä.secret@example.org", MAIL.subject, MAIL.text))
    assert fate_of(error) is Fate.DEFECT
    assert "SMTPUTF8" in str(error)


async def test_a_mail_that_is_taken_is_sent_even_without_a_goodbye() -> None:
    deaf = Deaf()
    async with smtp(deaf) as port:
        await send(MAIL, to(port))
    assert [envelope.rcpt_tos for envelope in deaf.accepted] == [[MAIL.to]]


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the server does not see the TLS around it
@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_mail_and_password_travel_inside_tls(
    tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a server that wants both
    context, vouching = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(vouching))
    (tmp_path / "smtp_password").write_text("pässword\n")
    wanted = {"authenticator": checks("ana", "pässword"), "auth_required": True}
    inside = (
        {"auth_require_tls": False} if tls == "tls" else {"tls_context": context, "require_starttls": True}
    )
    settings = {"smtp_tls": tls, "smtp_user": "ana", "secrets": tmp_path}
    rude = Rude()
    # when
    async with smtp(rude, context if tls == "tls" else None, **wanted, **inside) as port:
        await send(MAIL, to(port, **settings))
        (tmp_path / "smtp_password").write_text("secret-but-wrong")
        error = await failing(to(port, **settings))
    # then
    assert [envelope.rcpt_tos for envelope in rude.accepted] == [[MAIL.to]]
    assert fate_of(error) is Fate.OUTAGE
    assert "answers 535" in str(error)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_server_that_nobody_vouches_for_gets_nothing(tls: str, tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    rude = Rude()
    async with smtp(rude, context if tls == "tls" else None, tls_context=context) as port:
        assert fate_of(await failing(to(port, smtp_tls=tls))) is Fate.OUTAGE
    assert rude.accepted == []


async def test_a_server_without_the_tls_of_the_settings_gets_nothing() -> None:
    rude = Rude()
    async with smtp(rude) as port:
        error = await failing(to(port, smtp_tls="starttls"))
    assert fate_of(error) is Fate.OUTAGE
    assert "offers no TLS or no login" in str(error)
    assert rude.accepted == []


def test_a_user_without_tls_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="PICKLY_SMTP_USER needs PICKLY_SMTP_TLS"):
        to(25, smtp_user="ana")


async def test_a_password_that_is_missing_is_an_outage_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OutageError, match=r"secret smtp_password: .* cannot be read"):
        await send(MAIL, to(25, smtp_tls="tls", smtp_user="ana", secrets=tmp_path))


@pytest.mark.parametrize("sender", ["Pickly <a@b>", "a@b\r\nBcc: c@d", "a", "a@b, c@d", "ä@b", "=?q?=@b"])
def test_a_sender_that_is_not_one_plain_address_is_no_setting(sender: str) -> None:
    with pytest.raises(ValidationError, match="smtp_from"):
        to(25, smtp_from=sender)


async def test_no_log_line_quotes_a_mail(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with smtp(Rude("RCPT", "550 <%s>: unknown")) as refusing, smtp(Rude()) as taking:
        await failing(to(refusing))
        await send(MAIL, to(taking))
    records = [record for record in caplog.records if record.name != "mail.log"]  # the servers' own
    assert len(records) < len(caplog.records)
    assert not [record for record in records if "secret" in record.getMessage()]
