"""Signing in: a password is checked before the transaction, and counted before it is checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from consumers.auth import access, challenges, key_pairs, leaving, policy, vault
from consumers.auth.group import HASHING, auth
from consumers.auth.hashing import hasher
from consumers.auth.passkeys import CHALLENGE
from consumers.auth.security import noted
from consumers.auth.store import accounts, factors, guesses, sessions
from consumers.auth.store.accounts import Credentials
from consumers.auth.store.challenges import Challenge
from consumers.auth.store.guesses import Guess
from infra.runtime import Db, Refusal, Reply
from infra.sealing import Opened
from schemas.accounts import AccountState
from schemas.envelope import Meta
from schemas.message import Message
from schemas.sealed import Contents
from schemas.security import SecurityNoted
from schemas.sessions import SessionStarted, SignIn, SignInContents

FREE_OF_PAIR: Final = 5
FREE_OF_ACCOUNT: Final = 20
FREE_OF_ADDRESS: Final = 100

C = TypeVar("C", bound=Contents)


@dataclass(frozen=True, slots=True)
class Checked:
    """A sign-in after its password was looked at; `found` is who has that name and that password."""

    opened: Opened[SignInContents]
    found: Credentials | None
    guesses: Sequence[Guess]
    rehashed: str | None = None


async def checked(wish: SignIn, meta: Meta, db: Db) -> Checked | Refusal:
    """Open the box, count the guess, check the password; for an unknown name all the same."""
    opened = await key_pairs.opened(SignInContents, wish, meta, db)
    if isinstance(opened, Refusal):
        return opened
    contents = opened.contents
    counted = guesses_at(contents.identifier, contents.address)
    if not await guesses.admit(db, counted, meta.at):
        return Refusal("too_many_attempts")
    found = await named(db, contents.identifier)
    stored = found.password if found else None
    if not await hasher().matches(stored, contents.password) or stored is None:
        return Checked(opened, None, counted)
    await guesses.uncount(db, counted[0])
    rehashed = None
    if hasher().needs_rehash(stored):
        rehashed = await hasher().hashed(contents.password, opened.draw("salt"))
    return Checked(opened, found, counted, rehashed)


def guesses_at(identifier: str, address: str) -> list[Guess]:
    """The counters of a guess at somebody's password: of the address, of the two, of the name."""
    name = name_of(identifier)
    return [
        Guess.at("address", access.coarse(address), FREE_OF_ADDRESS),
        Guess.at("pair", f"{name} {address}", FREE_OF_PAIR),
        Guess.at("name", name, FREE_OF_ACCOUNT),
    ]


def name_of(identifier: str) -> str:
    """What all spellings of a handle (with its @ before it or not) or of an e-mail address share."""
    return policy.mailbox(identifier.removeprefix("@"))


async def named(db: Db, identifier: str) -> Credentials | None:
    """Whom a handle or an e-mail address means."""
    name = name_of(identifier)
    if "@" in name:
        return await accounts.by_email(db, vault.lookup("email", name))
    return await accounts.by_handle(db, name)


@auth.on(SignIn, cost=HASHING, prepare=checked)
async def sign_in(wish: SignIn, meta: Meta, db: Db, seen: Checked) -> Sequence[Message | Reply] | Refusal:
    """A right password begins a session; a wrong one and an unknown name are the same."""
    held = await accounts.get(db, seen.found.account_id) if seen.found else None
    if held is None or seen.found is None or held.password_version != seen.found.password_version:
        return Refusal("credentials_wrong")
    if held.account.standing == "suspended":
        return Refusal("suspended")
    if seen.rehashed is not None:
        await accounts.rehash(db, seen.found.account_id, seen.rehashed)
    await guesses.forgive(db, seen.guesses[1:])
    if await factors.confirmed(db, held.account.account_id):
        return [await second_step(db, wish, meta, seen, held)]
    contents = seen.opened.contents
    newcomer = Newcomer(wish.session_id, contents.device, contents.address)
    return await begin(db, held.account, newcomer, meta, seen.opened)


async def second_step(db: Db, wish: SignIn, meta: Meta, seen: Checked, held: accounts.Held) -> Reply:
    """The password was right, and a second factor is asked for; the session begins when that is proven."""
    challenge = Challenge(
        challenge_id=wish.session_id,
        kind="sign_in",
        random=seen.opened.draw("challenge", CHALLENGE),
        expires_at=meta.at + challenges.EXPIRES,
        account_id=held.account.account_id,
        device=seen.opened.contents.device,
        password_version=held.password_version,
    )
    return Reply(seen.opened.answer(await challenges.ask(db, challenge)))


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A session that is to begin; `device` is what it is called, `address` that of the network."""

    session_id: UUID
    device: str
    address: str
    assurance: int = 1


async def begin(
    db: Db, account: AccountState, newcomer: Newcomer, meta: Meta, opened: Opened[C]
) -> list[Message | Reply]:
    """A session begins, its tokens are the answer; an account that was put away is back."""
    account, events = await leaving.back(db, meta, account)
    session = SessionStarted(
        session_id=newcomer.session_id,
        account_id=account.account_id,
        device=newcomer.device,
        place=access.coarse(newcomer.address),
        assurance=newcomer.assurance,
        started_at=meta.at,
        seen_at=meta.at,
        version=1,
    )
    refresh, family = access.new_family(session.session_id, opened.draw("refresh"), meta.at)
    await sessions.add(db, session, family, meta.id)
    answer = await access.tokens(
        db, account, session, refresh, at=meta.at, factor_at=meta.at, token_id=meta.id
    )
    return [*events, session, await signed_in(db, meta, session), Reply(opened.answer(answer))]


async def signed_in(db: Db, meta: Meta, session: SessionStarted) -> SecurityNoted:
    """The owner can see when and on what somebody signed in."""
    return await noted(
        db,
        meta,
        session.account_id,
        "signed_in",
        session_id=session.session_id,
        place=session.place,
        device=session.device,
    )
