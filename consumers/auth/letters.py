"""What identity writes to people, and how a mail waits to be sent: encrypted under the account's data key."""

from typing import Any, Final
from uuid import UUID

import orjson

from consumers.auth import vault
from infra.mail import Mail, MailRefusedError, send
from infra.runtime import Effect
from infra.sealing import b64, decrypt, encrypt, unb64
from infra.settings import settings

MAIL: Final = "mail"
GREETING: Final = "Hello @{handle},\n\n"
CLOSING: Final = "\n\nPickly\n"

LETTERS: Final = {
    "confirm_registration": (
        "Confirm your e-mail address",
        "with this code your account begins:\n\n    {token}\n\n"
        "Open {site}/confirm#{token} or give the code to the app. It is good for 24 hours.\n"
        "If it was not you who asked, do nothing: no account will be made.",
    ),
    "known_registration": (
        "You have an account already",
        "somebody, probably you, asked for a new account with this e-mail address. It has one already, so"
        " nothing was done.\nIf you forgot your password, ask for a new one: {site}/reset",
    ),
    "factor_added": (
        "A second factor was added",
        "your account has a new second factor: {name}. It can be used to sign in from now on.\n"
        "If it was not you, set a new password at once: {site}/reset",
    ),
    "factor_removed": (
        "A second factor was removed",
        "your account has a second factor less: {name}. It cannot be used to sign in any more.\n"
        "If it was not you, set a new password at once: {site}/reset",
    ),
    "recovery_code_used": (
        "A recovery code was used",
        "one of your recovery codes was used in place of a second factor; {left} of them are left.\n"
        "If it was not you, set a new password at once: {site}/reset",
    ),
}


def letter(
    kind: str, account_id: UUID, handle: str, to: str, *, wrapped: bytes, nonce: bytes, **values: str
) -> Effect:
    """A mail as an effect. `wrapped` is the account's data key, `nonce` is random; `values` fill the text."""
    plain = orjson.dumps({"to": to, "handle": handle, **values})
    box = encrypt(data_key(wrapped, account_id), nonce, plain, about(kind, account_id))
    return Effect(MAIL, {"letter": kind, "account": str(account_id), "key": b64(wrapped), "box": b64(box)})


async def deliver(id: UUID, payload: dict[str, Any]) -> None:
    """Send it. An address that the server refuses for good is nobody's: that ends the effect as well."""
    account_id = UUID(payload["account"])
    key = data_key(unb64(payload["key"]), account_id)
    values = orjson.loads(decrypt(key, unb64(payload["box"]), about(payload["letter"], account_id)))
    subject, text = LETTERS[payload["letter"]]
    body = (GREETING + text + CLOSING).format(site=settings().site, **values)
    try:
        await send(Mail(values["to"], subject, body, id), settings())
    except MailRefusedError:
        return


def about(kind: str, account_id: UUID) -> bytes:
    """What a letter's box is bound to."""
    return f"letter/{kind}/{account_id}".encode()


def data_key(wrapped: bytes, account_id: UUID) -> bytes:
    """An account's data key in clear; raises SealError."""
    return vault.unwrap(wrapped, vault.data_key_about(account_id))
