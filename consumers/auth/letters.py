"""What identity writes to people, and how a mail waits to be sent: encrypted under the account's data key."""

from typing import Any, Final, TypeVar
from uuid import UUID

import orjson

from consumers.auth import vault
from consumers.auth.store.contacts import Contact
from infra.mail import Mail, MailRefusedError, send
from infra.runtime import Effect
from infra.sealing import NONCE_BYTES, Opened, b64, decrypt, encrypt, unb64
from infra.settings import settings
from schemas.sealed import Contents

C = TypeVar("C", bound=Contents)

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
    "reset_password": (
        "Set a new password",
        "with this code you can set a new password:\n\n    {token}\n\n"
        "Open {site}/reset#{token} or give the code to the app. It is good for 30 minutes, and once.\n"
        "If it was not you who asked, do nothing: your password stays as it is.",
    ),
    "password_changed": (
        "Your password was changed",
        "the password of your account was changed, and every other session was ended.\n"
        "If it was not you, set a new one at once: {site}/reset",
    ),
    "confirm_email": (
        "Confirm your new e-mail address",
        "with this code your account gets this e-mail address:\n\n    {token}\n\n"
        "Open {site}/confirm-email#{token} or give the code to the app. It is good for 24 hours, and once.\n"
        "If it was not you who asked, do nothing: nothing will be changed.",
    ),
    "known_email": (
        "This e-mail address has an account already",
        "somebody, probably you, asked to use this e-mail address for another account. It has one already,"
        " so nothing was done.\nTo use it there, give the account that has it another address first.",
    ),
    "email_change_asked": (
        "Your e-mail address is to be changed",
        "somebody who knows your password asked to change the e-mail address of your account to {new}. That"
        " happens when it is confirmed there.\nIf it was not you, change your password at once: {site}/reset",
    ),
    "email_changed": (
        "Your e-mail address was changed",
        "the e-mail address of your account was changed to {new}; mail comes here no more.\n"
        "If it was not you, write to us at once and name your handle: {site}/help",
    ),
    "deactivated": (
        "Your account is deactivated",
        "your account is deactivated and every session was ended. Sign in, and it is back.\n"
        "If it was not you, set a new password at once: {site}/reset",
    ),
    "deletion_asked": (
        "Your account will be deleted",
        "your account will be deleted on {due}, and every session was ended. Until then you can sign in and"
        " take it back.\nIf it was not you, set a new password at once: {site}/reset",
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


def letter(kind: str, contact: Contact, nonce: bytes, *, to: str | None = None, **values: str) -> Effect:
    """A mail as an effect, to the account's address or `to` another; `values` fill the text.

    `nonce` is random. Raises SealError.
    """
    fields = {"to": address_of(contact) if to is None else to, "handle": contact.handle, **values}
    key, account_id = data_key(contact.wrapped, contact.account_id), contact.account_id
    box = encrypt(key, nonce, orjson.dumps(fields), about(kind, account_id))
    payload = {"letter": kind, "account": str(account_id), "key": b64(contact.wrapped), "box": b64(box)}
    return Effect(MAIL, payload)


def address_of(contact: Contact) -> str:
    """The address in clear; raises SealError."""
    key = data_key(contact.wrapped, contact.account_id)
    return decrypt(key, contact.email, vault.email_about(contact.account_id)).decode()


def nobody(opened: Opened[C], account_id: UUID) -> Contact:
    """Whom a letter is to that nobody gets, so that writing to a name that nobody has is the same work."""
    key, about = opened.draw("nobody's key"), vault.data_key_about(account_id)
    wrapped = vault.wrap(opened.draw("wrapping", NONCE_BYTES), key, about)
    email = encrypt(key, opened.draw("nobody", NONCE_BYTES), b"", vault.email_about(account_id))
    return Contact(account_id, "nobody", "", wrapped, email)


async def deliver(id: UUID, payload: dict[str, Any]) -> None:
    """Send it. An address that the server refuses for good is nobody's: that ends the effect as well."""
    account_id = UUID(payload["account"])
    key = data_key(unb64(payload["key"]), account_id)
    values = orjson.loads(decrypt(key, unb64(payload["box"]), about(payload["letter"], account_id)))
    if not values["to"]:
        return  # to nobody
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
