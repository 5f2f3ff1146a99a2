"""Somebody who registers like anybody else, with a code from a mail, and gets factors of his own."""

import base64
import json
import re
import time
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import Any, Final
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from tests.authenticator import Authenticator
from tests.journeys.stack import until
from tests.journeys.visitors import PASSWORD, Letterbox

CODE: Final = re.compile(r"^ {4}(\S+)\s*$", re.MULTILINE)
STEP: Final = 30


@dataclass
class Newcomer:
    """A person at a client that keeps the access token of the newest session."""

    box: Letterbox
    http: httpx.Client
    origin: str
    handle: str = field(default_factory=lambda: f"n{uuid4().hex[:12]}")
    secret: str = ""
    device: Authenticator = field(init=False)

    def __post_init__(self) -> None:
        self.device = Authenticator(self.origin)

    @property
    def email(self) -> str:
        """His address."""
        return f"{self.handle}@example.org"

    def registers(self) -> None:
        """Opens an account, with the code from the mail. The first one waits for the first keys."""
        new = {"handle": self.handle, "email": self.email, "password": PASSWORD}
        until(lambda: self.http.post("/v1/auth/registrations", json=new).status_code == 202, "registered")
        until(lambda: bool(self.letters("Confirm")), "the mail with the code")
        code = CODE.findall(self.letters("Confirm")[-1])[0]
        assert self.http.put(f"/v1/auth/email-verifications/{code}").status_code == 200

    def letters(self, about: str) -> list[str]:
        """The mails to him whose subject begins so."""
        mails = [message_from_bytes(mail, policy=default) for mail in self.box.letters[self.email]]
        return [str(mail.get_content()) for mail in mails if str(mail["subject"]).startswith(about)]

    def signs_in(self) -> httpx.Response:
        """With his password; without second factors he is in."""
        given = {"identifier": self.handle, "password": PASSWORD, "device": "laptop"}
        return self.enters(self.http.post("/v1/auth/sessions", json=given))

    def proves(self, challenge: dict[str, Any], **proof: Any) -> httpx.Response:
        """Answers a challenge."""
        return self.enters(self.http.put(f"/v1/auth/challenges/{challenge['id']}", json=proof))

    def enters(self, answer: httpx.Response) -> httpx.Response:
        """From now on he asks as what this answer lets him be."""
        if "access_token" in (fields := answer.json()):
            self.http.headers["authorization"] = f"Bearer {fields['access_token']}"
        return answer

    def shows(self, options: dict[str, Any]) -> Any:
        """What his browser answers for a passkey."""
        return json.loads(self.device.get(json.dumps(options)))

    def makes(self, options: dict[str, Any]) -> Any:
        """What his browser answers when it made a passkey."""
        return json.loads(self.device.create(json.dumps(options)))

    def code(self, steps: int = 0) -> str:
        """What his app shows now, or so many steps later."""
        app = TOTP(base64.b32decode(self.secret), 6, SHA1(), STEP)
        return app.generate(int(time.time()) + steps * STEP).decode()
