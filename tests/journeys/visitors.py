"""People who open an account and sign in, as a client without any privilege does: by mail and by HTTP."""

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.journeys.stack import free_port

PASSWORD = "a walk along the winter sea"
CODE = re.compile(rb"^    (\S+)\r?$", re.MULTILINE)


@dataclass
class Letterbox:
    """An SMTP server that keeps what comes, by address."""

    port: int = field(default_factory=free_port)
    letters: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd calls it so
        """Take a mail."""
        for address in envelope.rcpt_tos:
            self.letters[address].append(envelope.original_content or b"")
        return "250 OK"

    async def code(self, address: str) -> str:
        """The code in the newest mail to this address, once there is one."""
        async with asyncio.timeout(60):
            while not self.letters[address]:  # noqa: ASYNC110  # the mail comes from another process
                await asyncio.sleep(0.05)
        found = CODE.search(self.letters[address][-1].replace(b"=\r\n", b""))
        assert found is not None, self.letters[address][-1]
        return found[1].decode()

    def close(self) -> None:
        """Take no more."""
        self._controller.stop()


@dataclass
class Signed:
    """Somebody who has signed in."""

    handle: str
    tokens: dict[str, Any]
    command: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What a request of this session carries."""
        return {"authorization": f"Bearer {self.tokens['access_token']}"}


async def patiently(
    http: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
) -> httpx.Response:
    """Repeat what was answered with 503, as it says: keys are not there yet, or it took long."""
    async with asyncio.timeout(90):
        while True:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = await http.request(method, path, json=body, headers=named)
            if answer.status_code != 503:
                return answer
            await asyncio.sleep(float(answer.headers["retry-after"]) / 2)


async def registers(http: httpx.AsyncClient, letters: Letterbox) -> str:
    """Open an account and confirm its address; the handle."""
    handle = f"v{uuid4().hex[:12]}"
    new = {"handle": handle, "email": f"{handle}@example.org", "password": PASSWORD}
    asked = await patiently(http, "POST", "/v1/auth/registrations", new)
    assert asked.status_code == 202, asked.text
    code = await letters.code(new["email"])
    confirmed = await patiently(http, "PUT", f"/v1/auth/email-verifications/{code}")
    assert confirmed.status_code == 200, confirmed.text
    return handle


async def signs_in(http: httpx.AsyncClient, handle: str, **fields: Any) -> Signed:
    """Sign in with the password."""
    body = {"identifier": handle, "password": PASSWORD, **fields}
    answer = await patiently(http, "POST", "/v1/auth/sessions", body)
    assert answer.status_code == 201, answer.text
    return Signed(handle, answer.json(), answer.headers["pickly-command"])
