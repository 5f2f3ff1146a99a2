"""Whether a name is somebody's shows nowhere (S14): the same work, the same messages, the same answer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from asyncpg.connection import LoggedQuery

from consumers.auth import key_pairs, registration, resending, resetting_password, signing_in
from consumers.auth.hashing import EVALUATIONS
from consumers.auth.store import accounts
from infra.runtime import Db, Effect, Refusal, Reply
from infra.sealing import b64, unb64
from schemas.credentials import (
    AskPasswordReset,
    EmailContents,
    IdentifierContents,
    ResendConfirmation,
    ResetPassword,
    ResetPasswordContents,
)
from schemas.message import Message
from schemas.registration import ConfirmRegistration, ProofContents, Register, RegisterContents
from schemas.sessions import SignIn, SignInContents
from tests.consumers.auth.credentials import ANOTHER, HERE, PASSWORD, a_member, sealed
from tests.consumers.auth.test_registration import registers
from tests.given import ANA, BO
from tests.sealing import Decided

KNOWN, UNKNOWN = "known.one", "other.one"
"""Of one length, so that their letters are."""


@dataclass
class Work:
    """What one command cost, and what came of it."""

    statements: list[str] = field(default_factory=list)
    hashes: float = 0
    answer: tuple[str | None, dict[str, Any]] = (None, {})
    messages: list[str] = field(default_factory=list)
    letters: int = 0
    bytes: int = 0

    def take(self, decided: Decided) -> None:
        """What a caller sees and what leaves."""
        results = decided.outcome if isinstance(decided.outcome, list) else [decided.outcome]
        self.answer = (decided.refused, decided.answer)
        self.messages = [type(each).__name__ for each in results if isinstance(each, Message)]
        effects = [each for each in results if isinstance(each, Effect)]
        self.letters = len(effects)
        self.bytes = sum(len(unb64(each.payload["key"])) for each in effects) + sum(
            len(each.sealed) for each in results if isinstance(each, Reply)
        )


@asynccontextmanager
async def watched(db: Db) -> AsyncIterator[Work]:
    """Counts argon2 evaluations of every purpose, and collects the statements on this connection."""
    work = Work()

    def note(query: LoggedQuery) -> None:
        work.statements.append(" ".join(query.query.split()))

    before = hashes()
    db.add_query_logger(note)
    try:
        yield work
    finally:
        db.remove_query_logger(note)
        work.hashes = hashes() - before


def hashes() -> float:
    """How often argon2 ran in this process."""
    return sum(
        sample.value for sample in next(iter(EVALUATIONS.collect())).samples if sample.name.endswith("_total")
    )


async def signs_in(db: Db, name: str) -> Decided:
    contents = SignInContents(identifier=name, password="not the password of anybody", address=HERE)
    return await sealed(db, SignIn, contents, (signing_in.sign_in, signing_in.checked))


async def signs_in_by_mail(db: Db, name: str) -> Decided:
    return await signs_in(db, f"{name}@example.org")


async def registers_with(db: Db, name: str) -> Decided:
    """A handle that is free; the address is known or not."""
    contents = RegisterContents(
        handle="newcomer", email=f"{name}@example.org", password=PASSWORD, address=HERE
    )
    return await sealed(db, Register, contents, (registration.register, registration.checked))


async def resets(db: Db, name: str) -> Decided:
    contents = IdentifierContents(identifier=name, address=HERE)
    of = (resetting_password.ask_password_reset, resetting_password.opened)
    return await sealed(db, AskPasswordReset, contents, of)


async def resets_by_mail(db: Db, name: str) -> Decided:
    return await resets(db, f"{name}@example.org")


async def resets_with_a_wrong_code(db: Db, name: str) -> Decided:
    of = (resetting_password.reset_password, resetting_password.proven)
    contents = ResetPasswordContents(secret=b64(bytes(32)), password=ANOTHER, address=HERE)
    return await sealed(db, ResetPassword, contents, of, account_id=whose(name))


async def confirms_with_a_wrong_code(db: Db, name: str) -> Decided:
    of = (registration.confirm_registration, key_pairs.open_box)
    contents = ProofContents(secret=b64(bytes(32)), address=HERE)
    return await sealed(db, ConfirmRegistration, contents, of, account_id=whose(name))


def whose(name: str) -> UUID:
    return ANA if name == KNOWN else BO


Ask = Callable[[Db, str], Awaitable[Decided]]
WAYS: list[Ask] = [
    signs_in,
    signs_in_by_mail,
    registers_with,
    resets,
    resets_by_mail,
    resets_with_a_wrong_code,
    confirms_with_a_wrong_code,
]


async def work_of(db: Db, ask: Ask, name: str) -> Work:
    """Ask, look, and undo it."""
    attempt = db.transaction()
    await attempt.start()
    async with watched(db) as work:
        decided = await ask(db, name)
    await attempt.rollback()
    work.take(decided)
    return work


@pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)
async def test_a_known_and_an_unknown_name_cost_and_answer_the_same(auth_db: Db, ask: Ask) -> None:
    await a_member(auth_db, ANA, KNOWN)

    known, unknown = await work_of(auth_db, ask, KNOWN), await work_of(auth_db, ask, UNKNOWN)

    assert known == unknown
    assert len(known.statements) >= 2


@pytest.mark.parametrize("ask", [signs_in, registers_with])
async def test_a_password_is_hashed_once_whoever_asks(auth_db: Db, ask: Ask) -> None:
    await a_member(auth_db, ANA, KNOWN)

    assert [(await work_of(auth_db, ask, name)).hashes for name in (KNOWN, UNKNOWN)] == [1, 1]


async def test_asking_for_a_mail_again_is_the_same_whether_a_registration_waits(auth_db: Db) -> None:
    async def resends(db: Db, name: str) -> Decided:
        of = (resending.resend_confirmation, resending.opened)
        return await sealed(
            db, ResendConfirmation, EmailContents(email=f"{name}@example.org", address=HERE), of
        )

    await registers(auth_db, "newcomer", f"{KNOWN}@example.org")

    assert await work_of(auth_db, resends, KNOWN) == await work_of(auth_db, resends, UNKNOWN)


async def test_a_handler_that_does_less_for_nobody_is_noticed(
    auth_db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without a proof and a letter for nobody, the comparison must fail."""
    await a_member(auth_db, ANA, KNOWN)
    asked = resetting_password.ask_password_reset

    async def hasty(wish: Any, meta: Any, db: Db, seen: Any) -> Any:
        found = await accounts.by_handle(db, seen.contents.identifier)
        return Refusal("not_found") if found is None else await asked(wish, meta, db, seen)

    monkeypatch.setattr(resetting_password, "ask_password_reset", hasty)

    assert await work_of(auth_db, resets, KNOWN) != await work_of(auth_db, resets, UNKNOWN)
