"""Password hashes: what verifies, what is out of date, and that nobody costs as much as somebody."""

import asyncio
import hmac
import threading
from collections.abc import Iterator

import argon2
import pytest
from argon2.exceptions import VerificationError
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from consumers.auth import hashing
from consumers.auth.config import AuthSettings
from consumers.auth.hashing import Hasher, PepperError, Peppers

CHEAP = AuthSettings(argon2_memory=64, argon2_passes=1, argon2_threads=2)
OLD_KEY, NEW_KEY = b"o" * 32, b"n" * 32
OLD = Peppers("1", {"1": OLD_KEY})
BOTH = Peppers("2", {"1": OLD_KEY, "2": NEW_KEY})
SALT, OTHER_SALT = bytes(range(32)), bytes(range(1, 33))
PASSWORD = "a lighthouse keeper's hat"


@pytest.fixture
def hasher() -> Iterator[Hasher]:
    hasher = Hasher(CHEAP, OLD)
    yield hasher
    hasher.close()


def evaluations() -> dict[str, float]:
    purposes = ("hash", "verify", "dummy")
    return {p: REGISTRY.get_sample_value("pickly_auth_argon2_total", {"purpose": p}) or 0 for p in purposes}


def since(before: dict[str, float]) -> dict[str, float]:
    return {
        purpose: now - before[purpose] for purpose, now in evaluations().items() if now != before[purpose]
    }


async def test_the_password_matches_and_another_does_not(hasher: Hasher) -> None:
    stored = await hasher.hashed(PASSWORD, SALT)

    assert await hasher.matches(stored, PASSWORD)
    assert not await hasher.matches(stored, PASSWORD + " ")
    assert not await hasher.matches(stored, PASSWORD.upper())
    assert not await hasher.matches(stored, "")


async def test_what_is_stored_is_a_phc_string_under_the_id_of_its_pepper() -> None:
    hasher = Hasher(CHEAP, BOTH)
    stored = await hasher.hashed(PASSWORD, SALT)
    hasher.close()

    assert stored.startswith("2$argon2id$v=19$m=64,t=1,p=1$")
    # Another library's front end agrees, given the peppered password.
    assert argon2.PasswordHasher().verify(stored[1:], hmac.digest(NEW_KEY, PASSWORD.encode(), "sha256"))


async def test_the_pepper_the_salt_and_the_password_each_change_the_hash(hasher: Hasher) -> None:
    other_pepper = Hasher(CHEAP, Peppers("1", {"1": NEW_KEY}))
    stored = {
        await hasher.hashed(PASSWORD, SALT),
        await hasher.hashed(PASSWORD, OTHER_SALT),
        await hasher.hashed("another", SALT),
        await other_pepper.hashed(PASSWORD, SALT),
    }
    other_pepper.close()

    assert len(stored) == 4
    assert await hasher.hashed(PASSWORD, SALT) in stored


async def test_one_password_in_two_unicode_forms_is_one(hasher: Hasher) -> None:
    stored = await hasher.hashed("cafe\u0301 au lait \u212b", SALT)

    assert await hasher.matches(stored, "caf\u00e9 au lait \u00c5")
    assert not await hasher.matches(stored, "cafe au lait A")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_every_text_matches_itself(text: str) -> None:
    peppers = Peppers("1", {"1": OLD_KEY})

    assert peppers.secret("1", text) == peppers.secret("1", text)
    assert len(peppers.secret("1", text)) == 32


async def test_bytes_after_a_nul_count_too(hasher: Hasher) -> None:
    stored = await hasher.hashed("before\0after", SALT)

    assert not await hasher.matches(stored, "before\0other")


async def test_nobody_matches_nothing_and_costs_one_evaluation_like_somebody(hasher: Hasher) -> None:
    stored = await hasher.hashed(PASSWORD, SALT)
    before = evaluations()

    assert not await hasher.matches(None, PASSWORD)
    assert since(before) == {"dummy": 1}
    assert not await hasher.matches(None, "")
    assert not await hasher.matches(stored, "wrong")
    assert since(before) == {"dummy": 2, "verify": 1}


async def test_the_dummy_has_the_parameters_of_a_new_hash(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[argon2.Parameters] = []

    def noted(phc: bytes, secret: bytes, kind: argon2.Type) -> bool:
        seen.append(argon2.extract_parameters(phc.decode()))
        return argon2.low_level.verify_secret(phc, secret, kind)

    monkeypatch.setattr(hashing, "verify_secret", noted)
    stored = await hasher.hashed(PASSWORD, SALT)
    await hasher.matches(stored, PASSWORD)
    await hasher.matches(None, PASSWORD)

    assert seen[0] == seen[1]
    assert (seen[0].memory_cost, seen[0].time_cost, seen[0].parallelism) == (64, 1, 1)


async def test_an_older_pepper_verifies_and_asks_for_a_new_hash(hasher: Hasher) -> None:
    stored = await hasher.hashed(PASSWORD, SALT)
    rotated = Hasher(CHEAP, BOTH)
    renewed = await rotated.hashed(PASSWORD, OTHER_SALT)

    assert await rotated.matches(stored, PASSWORD)
    assert not await rotated.matches(stored, "wrong")
    assert rotated.needs_rehash(stored)
    assert not hasher.needs_rehash(stored)
    assert not rotated.needs_rehash(renewed)
    rotated.close()


@pytest.mark.parametrize(
    "changed", [{"argon2_memory": 128}, {"argon2_passes": 2}, {"argon2_memory": 64, "argon2_lanes": 2}]
)
async def test_other_parameters_verify_and_ask_for_a_new_hash(
    hasher: Hasher, changed: dict[str, int]
) -> None:
    stored = await hasher.hashed(PASSWORD, SALT)
    stronger = Hasher(CHEAP.model_copy(update=changed), OLD)

    assert await stronger.matches(stored, PASSWORD)
    assert stronger.needs_rehash(stored)
    assert not stronger.needs_rehash(await stronger.hashed(PASSWORD, SALT))
    stronger.close()


async def test_a_hash_whose_pepper_is_gone_is_an_error_and_no_wrong_password(hasher: Hasher) -> None:
    stored = await hasher.hashed(PASSWORD, SALT)
    forgetful = Hasher(CHEAP, Peppers("2", {"2": NEW_KEY}))

    with pytest.raises(PepperError, match="'1'"):
        await forgetful.matches(stored, PASSWORD)
    forgetful.close()


@pytest.mark.parametrize("damage", ["1$argon2id$v=19$m=64,t=1,p=1$AAAA", "1", "1$argon2i$x"])
async def test_a_damaged_hash_is_an_error_and_no_wrong_password(hasher: Hasher, damage: str) -> None:
    with pytest.raises(VerificationError):
        await hasher.matches(damage, PASSWORD)


@pytest.mark.parametrize("size", [0, 8, 16, 31, 33])
async def test_a_salt_of_another_size_is_refused(hasher: Hasher, size: int) -> None:
    with pytest.raises(ValueError, match="salt"):
        await hasher.hashed(PASSWORD, bytes(size))


@pytest.mark.parametrize(
    ("newest", "keys"),
    [("2", {"1": OLD_KEY}), ("1", {"1": b"short"}), ("$", {"$": OLD_KEY}), ("", {"": OLD_KEY}), ("1", {})],
)
def test_peppers_that_cannot_work_are_refused_at_start(newest: str, keys: dict[str, bytes]) -> None:
    with pytest.raises(PepperError):
        Peppers(newest, keys)


async def test_never_more_evaluations_run_at_once_than_the_pool_has(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, lock, met = 0, 0, threading.Lock(), threading.Barrier(2)

    def noted(*given: object) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        met.wait(timeout=30)  # two do run at once; a third would break this one or the count
        with lock:
            running -= 1
        return True

    monkeypatch.setattr(hashing, "verify_secret", noted)
    answers = await asyncio.gather(*(hasher.matches(None, PASSWORD) for _ in range(20)))

    assert answers == [False] * 20
    assert most == 2


async def test_the_loop_goes_on_while_argon2_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher, loop_went_on = Hasher(CHEAP, OLD), threading.Event()

    def noted(*given: object) -> bool:
        return loop_went_on.wait(timeout=30)

    monkeypatch.setattr(hashing, "verify_secret", noted)
    check = asyncio.ensure_future(hasher.matches("1$argon2id$x", PASSWORD))
    await asyncio.sleep(0)
    loop_went_on.set()

    assert await check
    hasher.close()


def test_the_defaults_are_owasps_least(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEMORY", "PASSES", "LANES"):
        monkeypatch.delenv(f"PICKLY_AUTH_ARGON2_{name}", raising=False)

    settings = AuthSettings()

    assert (settings.argon2_memory, settings.argon2_passes, settings.argon2_lanes) == (19_456, 2, 1)
