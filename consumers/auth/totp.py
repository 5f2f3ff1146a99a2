"""Codes of authenticator apps: RFC 6238 with 30 seconds, SHA-1 and 6 digits.

These apps ignore other settings or fail on them. SHA-1 is sound here: HMAC does not need what SHA-1 lost.
"""

import base64
import hmac
import re
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

ISSUER: Final = "Pickly"
SECRET: Final = 20
"""Bytes of a secret, random: as many as the output of SHA-1 has (RFC 4226, section 4)."""
STEP: Final = 30
DIGITS: Final = 6
DRIFT: Final = (-1, 0, 1)
"""How many steps the clock of a phone may differ, and a person may be slow."""
CODE: Final = re.compile(rf"[0-9]{{{DIGITS}}}")


def uri(secret: bytes, handle: str) -> str:
    """The `otpauth://` address that a QR code shows to the app."""
    return _generator(secret).get_provisioning_uri(handle, ISSUER)


def typed(secret: bytes) -> str:
    """The secret for people who cannot scan: 32 characters of base32."""
    return base64.b32encode(secret).decode()


def step_of(code: str, secret: bytes, at: datetime, last_step: int) -> int | None:
    """The step that `code` belongs to, to be stored as the next `last_step` (0 before the first); else None.

    A step counts only once: one that is not greater than `last_step` is refused. Spaces are ignored.
    """
    digits = "".join(code.split())
    if not CODE.fullmatch(digits):
        return None
    now, generator = int(at.timestamp()) // STEP, _generator(secret)
    # All are compared, so that the time taken tells nothing. Where two steps have the same code the later one
    # is used up: the earlier would leave the code good for a second time.
    steps = [now + drift for drift in DRIFT]
    matching = [s for s in steps if hmac.compare_digest(generator.generate(s * STEP), digits.encode())]
    return max((step for step in matching if step > last_step), default=None)


def _generator(secret: bytes) -> TOTP:
    if len(secret) != SECRET:
        raise ValueError(f"the secret of an authenticator app has {SECRET} bytes")
    return TOTP(secret, DIGITS, SHA1(), STEP)
