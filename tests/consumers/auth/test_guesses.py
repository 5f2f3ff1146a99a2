"""Guessing at passwords: parallel guesses beat no limit, pauses grow and end, and nobody is locked out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from consumers.auth import key_pairs, signing_in
from consumers.auth.hashing import EVALUATIONS, hasher
from consumers.auth.signing_in import FREE_OF_ACCOUNT, FREE_OF_ADDRESS, FREE_OF_PAIR, guesses_at
from consumers.auth.store import guesses, keys
from consumers.auth.store.guesses import FORGOTTEN, Guess
from infra.runtime import Db, Refusal
from infra.settings import Settings
from schemas.ids import made_by
from schemas.sessions import SignIn, SignInContents
from tests.consumers.auth.credentials import HERE, a_member
from tests.given import NOON, meta
from tests.sealing import boxed

PARALLEL = 200
Attack = Callable[[], Iterator[tuple[str, str]]]


@pytest.fixture
async def pool(migrated: Settings) -> AsyncIterator[Any]:
    """Connections as `auth` whose work is committed; a key pair to seal to. All of it is removed again."""
    pairs = [make(NOON) for make in key_pairs.MAKERS.values()]
    async with asyncpg.create_pool(migrated.dsn("auth"), max_size=10) as pool:
        db: Any = pool
        for pair in pairs:
            await keys.add(db, pair)
        yield pool
        await pool.execute("DELETE FROM key_pair WHERE key_id = ANY($1)", [pair.key_id for pair in pairs])
        for table in ("guess", "account", "data_key"):
            await pool.execute(f"DELETE FROM {table}")


def evaluations(purpose: str) -> float:
    """How often argon2 ran in this process."""
    return float(EVALUATIONS.labels(purpose)._value.get())


async def tries(pool: Any, identifier: str, n: int) -> str | None:
    """One wrong password, as the runtime prepares it; the commands are of times that differ a little."""
    asked = meta(None, minutes=1 + (n * 37 % PARALLEL) / 1e6)
    contents = SignInContents(identifier=identifier, password=f"guess number {n}", address=HERE)
    async with pool.acquire() as db:
        wish, _ = await boxed(db, SignIn, contents, asked, session_id=made_by(asked.id, "sessions"))
        seen = await signing_in.checked(wish, asked, db)
    return seen.reason if isinstance(seen, Refusal) else None


@pytest.mark.parametrize(("known", "purpose"), [(True, "verify"), (False, "dummy")])
async def test_200_guesses_at_once_evaluate_five(pool: Any, known: bool, purpose: str) -> None:
    handle = f"h{uuid4().hex[:20]}"
    if known:
        async with pool.acquire() as db:
            await a_member(db, made_by(uuid4(), "accounts"), handle)
    await asyncio.to_thread(hasher)
    before = evaluations(purpose)

    answers = await asyncio.gather(*(tries(pool, handle, n) for n in range(PARALLEL)))

    assert evaluations(purpose) - before == FREE_OF_PAIR
    assert answers.count(None) == FREE_OF_PAIR
    assert answers.count("too_many_attempts") == PARALLEL - FREE_OF_PAIR


A_GUESS = Guess(b"somebody", 5)


async def admitted(db: Db, seconds: float, *guess: Guess) -> bool:
    return await guesses.admit(db, guess or [A_GUESS], NOON + timedelta(seconds=seconds))


async def test_pauses_double_up_to_a_quarter_of_an_hour(auth_db: Db) -> None:
    assert all([await admitted(auth_db, 0) for _ in range(5)])

    at = 0.0
    for pause in (30, 60, 120, 240, 480, 900, 900, 900):
        assert not await admitted(auth_db, at + pause - 0.001)
        assert await admitted(auth_db, at + pause)
        at += pause


async def test_a_refused_guess_makes_no_pause_longer(auth_db: Db) -> None:
    for _ in range(5):
        await admitted(auth_db, 0)

    assert not any([await admitted(auth_db, 29) for _ in range(100)])
    assert await admitted(auth_db, 30)


async def test_after_any_number_of_guesses_the_owner_gets_in_within_the_longest_pause(auth_db: Db) -> None:
    at = 0.0
    for _ in range(200):
        while not await admitted(auth_db, at):
            at += 30

    assert await admitted(auth_db, at + guesses.LONGEST_PAUSE)


async def test_success_forgives_and_a_day_forgets(auth_db: Db) -> None:
    for _ in range(5):
        await admitted(auth_db, 0)
    await guesses.forgive(auth_db, [A_GUESS])
    assert all([await admitted(auth_db, 1) for _ in range(5)])
    assert not await admitted(auth_db, 2)

    later = FORGOTTEN.total_seconds() + 2
    assert all([await admitted(auth_db, later) for _ in range(4)])
    await guesses.forget(auth_db, NOON + 3 * FORGOTTEN)
    assert await auth_db.fetchval("SELECT count(*) FROM guess") == 0


def stuffing() -> Iterator[tuple[str, str]]:
    """One address tries a leaked password for each of many names."""
    return ((f"name{n}", HERE) for n in range(300))


def stuffing_from_a_network() -> Iterator[tuple[str, str]]:
    """The same, from every address of one network."""
    return ((f"name{n}", f"192.0.2.{n % 256}") for n in range(300))


def stuffing_from_ipv6() -> Iterator[tuple[str, str]]:
    """The same, from a new address of one IPv6 network each time."""
    return ((f"name{n}", f"2001:db8:1:{n:x}::{n:x}") for n in range(300))


def spraying() -> Iterator[tuple[str, str]]:
    """Many networks try one name."""
    return (("ana", f"10.{n // 250}.{n % 250}.1") for n in range(300))


def spraying_a_name_in_other_spellings() -> Iterator[tuple[str, str]]:
    """The same, with the name written differently each time."""
    spellings = ("ana@example.org", "ANA@example.org", "Ana@EXAMPLE.org", " ana@example.org ")
    return ((spellings[n % 4], f"10.{n // 250}.{n % 250}.1") for n in range(300))


def hammering() -> Iterator[tuple[str, str]]:
    """One address tries one name."""
    return (("ana", HERE) for _ in range(300))


def hammering_a_handle_with_its_sign() -> Iterator[tuple[str, str]]:
    """The same, with and without the @ of the handle, in either case."""
    return ((("ana", "@ana", "ANA", "@Ana")[n % 4], HERE) for n in range(300))


@pytest.mark.parametrize(
    ("attack", "evaluated"),
    [
        (stuffing, FREE_OF_ADDRESS),
        (stuffing_from_a_network, FREE_OF_ADDRESS),
        (stuffing_from_ipv6, FREE_OF_ADDRESS),
        (spraying, FREE_OF_ACCOUNT),
        (spraying_a_name_in_other_spellings, FREE_OF_ACCOUNT),
        (hammering, FREE_OF_PAIR),
        (hammering_a_handle_with_its_sign, FREE_OF_PAIR),
    ],
)
async def test_an_attack_gets_so_many_guesses_at_once(auth_db: Db, attack: Attack, evaluated: int) -> None:
    made = [await guesses.admit(auth_db, guesses_at(name, address), NOON) for name, address in attack()]

    assert made.count(True) == evaluated


@pytest.mark.parametrize("attack", [stuffing, spraying, hammering])
async def test_others_sign_in_meanwhile(auth_db: Db, attack: Attack) -> None:
    for name, address in attack():
        await guesses.admit(auth_db, guesses_at(name, address), NOON)

    assert await guesses.admit(auth_db, guesses_at("bo", "198.51.100.7"), NOON)


async def test_the_owner_signs_in_elsewhere_while_one_address_hammers(auth_db: Db) -> None:
    for name, address in hammering():
        await guesses.admit(auth_db, guesses_at(name, address), NOON)

    assert await guesses.admit(auth_db, guesses_at("ana", "198.51.100.7"), NOON)
