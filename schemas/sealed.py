"""Commands with secrets: what is secret travels in one field that only its decider can open.

The box is HPKE (RFC 9180, base mode: DHKEM X25519, HKDF-SHA256, AES-256-GCM) to the decider's current public
key; `infra/sealing.py` makes and opens it.
"""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, StringConstraints

from schemas.message import Command

Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*$", max_length=64 * 1024)]
"""Base64url without padding (RFC 4648 section 5)."""


class Contents(BaseModel):
    """What is inside a box. Never part of a body, a log line or an error."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Box(BaseModel):
    """Ciphertext, and the id of the key that opens it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    key: str
    text: Base64


class SealedCommand(Command):
    """A command whose secrets are `contents`, in the field `sealed`.

    After `deadline` it is refused as `expired`: whoever waited for it has gone. It has no Idempotency-Key and
    is never kept as a dead letter.
    """

    contents: ClassVar[type[Contents]]
    deadline: ClassVar[timedelta] = timedelta(seconds=30)

    sealed: Box
