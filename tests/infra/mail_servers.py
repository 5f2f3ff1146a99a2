"""SMTP servers that are rude, silent, or want a secret, for tests of sending."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST: Final = "127.0.0.1"


class Rude:
    """Gives a fixed answer to one step of SMTP (`%s` becomes the recipient), and keeps what it accepts."""

    def __init__(self, step: str = "", answer: str = "") -> None:
        self.answer = answer
        self.accepted: list[Envelope] = []
        if step:
            setattr(self, f"handle_{step}", self._refuse)

    async def _refuse(self, _server: SMTP, _session: Session, envelope: Envelope, *given: Any) -> str:
        return self.answer.replace("%s", str(given[0] if given else envelope.rcpt_tos))

    async def handle_DATA(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep it."""
        self.accepted.append(envelope)
        return "250 OK"


class Deaf(Rude):
    """Takes mail and never says goodbye."""

    async def handle_QUIT(self, *_: Any) -> str:  # noqa: N802  # the library's name
        """Wait for the other side to lose patience."""
        await asyncio.Event().wait()
        return ""


@asynccontextmanager
async def smtp(handler: Rude, context: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """The port of an SMTP server with this handler; with a context it speaks TLS from the first byte."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="rude.example", loop=loop, **options), HOST, 0, ssl=context
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def tcp(talk: Talk) -> AsyncIterator[int]:
    """The port of a server that says what `talk` says, and hangs up when it returns."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(once, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def checks(user: str, password: str) -> Callable[..., AuthResult]:
    """An authenticator that wants exactly this."""

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
        right = given == LoginPassword(user.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    return check


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for 127.0.0.1, and the file of the certificate that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail for tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, key_file = folder / "cert.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return context, file
