"""People with a password and an address, and what they do with them, for tests of handlers."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson

from consumers.auth import access, letters, vault
from consumers.auth.hashing import hasher
from consumers.auth.store import accounts, sessions
from infra.runtime import Db, Effect, Outcome
from infra.sealing import decrypt, encrypt, unb64
from schemas.accounts import AccountOpened
from schemas.ids import made_by
from schemas.sealed import Contents, SealedCommand
from schemas.sessions import SessionStarted
from tests.given import ANA, NOON, meta
from tests.sealing import Decided, boxed, decide

PASSWORD = "a walk along the winter sea"
ANOTHER = "seven green lamps under water"
HERE = "192.0.2.7"

Handler = Callable[..., Awaitable[Outcome]]
Prepare = Callable[..., Awaitable[Any]]


async def a_member(db: Db, account_id: UUID = ANA, handle: str = "ana") -> None:
    """Somebody has an account since noon, with `<handle>@example.org` and PASSWORD."""
    account = AccountOpened(account_id=account_id, handle=handle, opened_at=NOON, version=1)
    key, address = account_id.bytes * 2, f"{handle}@example.org"
    wrapped = vault.wrap(bytes(12), key, vault.data_key_about(account_id))
    email = encrypt(key, bytes(12), address.encode(), vault.email_about(account_id))
    found, password = vault.lookup("email", address), await hasher().hashed(PASSWORD, bytes(32))
    await accounts.keep_data_key(db, account_id, wrapped)
    await accounts.add(db, account, accounts.Secrets(found, email, password, len(PASSWORD)), meta().id)


async def a_session(db: Db, name: str, account_id: UUID = ANA) -> UUID:
    """Somebody is signed in since noon."""
    session_id = made_by(account_id, name)
    _, family = access.new_family(session_id, session_id.bytes * 2, NOON)
    started = SessionStarted(
        session_id=session_id, account_id=account_id, device=name, started_at=NOON, seen_at=NOON, version=1
    )
    await sessions.add(db, started, family, meta().id)
    return session_id


async def sealed(
    db: Db,
    kind: type[SealedCommand],
    contents: Contents,
    of: tuple[Handler, Prepare],
    minutes: float = 1,
    **fields: object,
) -> Decided:
    """Somebody sends a sealed command; `of` are its handler and what prepares it."""
    asked = meta(None, minutes=minutes)
    key_field = kind.key_fields[0]
    fields = {key_field: made_by(asked.id, "key")} | fields
    wish, reply_key = await boxed(db, kind, contents, asked, **fields)
    return await decide(db, *of, wish, asked, reply_key)


def effects(decided: Decided) -> list[Effect]:
    """What will be done after the commit."""
    results = decided.outcome if isinstance(decided.outcome, list) else [decided.outcome]
    return [each for each in results if isinstance(each, Effect)]


def mails(decided: Decided) -> list[dict[str, str]]:
    """What the mails say, and to whom."""
    return [_read(effect.payload) for effect in effects(decided)]


def _read(payload: dict[str, Any]) -> dict[str, str]:
    account_id = UUID(payload["account"])
    key = letters.data_key(unb64(payload["key"]), account_id)
    about = letters.about(payload["letter"], account_id)
    return {"letter": payload["letter"], **orjson.loads(decrypt(key, unb64(payload["box"]), about))}
