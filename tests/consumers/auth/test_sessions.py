"""Sessions are named and ended by their owner alone, and by age."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from consumers.auth.rotation import Family
from consumers.auth.sessions import end_all, end_other_sessions, end_session, name_session, over
from consumers.auth.store import sessions
from infra.partitions import partition_of
from infra.runtime import Db, Refusal, Unchanged
from schemas.sessions import (
    UNUSED_ENDS,
    EndOtherSessions,
    EndSession,
    NameSession,
    SessionEnded,
    SessionGone,
    SessionNamed,
    SessionStarted,
)
from schemas.topics import AUTH_COMMANDS
from tests.given import ANA, BO, NOON, meta

DAY = 24 * 60


async def a_session(db: Db, account: UUID = ANA, *, minutes: float = 0, **fields: Any) -> UUID:
    """A session that began so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    known = {"session_id": uuid4(), "account_id": account, "started_at": at, "seen_at": at, "version": 1}
    session = SessionStarted.model_validate(known | fields)
    await sessions.add(db, session, Family(b"first", None, at, at + UNUSED_ENDS), uuid4())
    return session.session_id


def partition(session_id: UUID) -> int:
    return partition_of(str(session_id), AUTH_COMMANDS)


async def test_its_owner_ends_a_session(auth_db: Db) -> None:
    session = await a_session(auth_db)

    ended = await end_session(EndSession(account_id=ANA, session_id=session), meta(minutes=5), auth_db)

    assert isinstance(ended, SessionEnded)
    assert (ended.session_id, ended.version, ended.end_reason) == (session, 2, "ended_by_owner")
    assert ended.ended_at == NOON + timedelta(minutes=5)
    held = await sessions.get(auth_db, session)
    assert held is not None
    assert held.family.revoked
    assert held.session.model_dump() == ended.model_dump()


async def test_signing_out_is_told_from_ending(auth_db: Db) -> None:
    wish = EndSession(account_id=ANA, session_id=await a_session(auth_db), reason="signed_out")

    ended = await end_session(wish, meta(), auth_db)

    assert isinstance(ended, SessionEnded)
    assert ended.end_reason == "signed_out"


async def test_what_has_ended_is_unchanged_and_shown_with_what_ended_it(auth_db: Db) -> None:
    wish = EndSession(account_id=ANA, session_id=await a_session(auth_db))
    first = meta()
    await end_session(wish, first, auth_db)

    assert await end_session(wish, meta(minutes=1), auth_db) == Unchanged(after=first.id)


async def test_a_session_of_somebody_else_is_none(auth_db: Db) -> None:
    session = await a_session(auth_db)

    refusals = [
        await end_session(EndSession(account_id=BO, session_id=session), meta(BO), auth_db),
        await name_session(NameSession(account_id=BO, session_id=session, device="x"), meta(BO), auth_db),
        await end_session(EndSession(account_id=ANA, session_id=uuid4()), meta(), auth_db),
    ]

    assert refusals == [Refusal("not_found")] * 3
    held = await sessions.get(auth_db, session)
    assert held is not None
    assert held.session.version == 1


async def test_an_end_is_never_before_the_last_refresh(auth_db: Db) -> None:
    session = await a_session(auth_db, seen_at=NOON + timedelta(minutes=50))

    ended = await end_session(EndSession(account_id=ANA, session_id=session), meta(), auth_db)

    assert isinstance(ended, SessionEnded)
    assert ended.ended_at == NOON + timedelta(minutes=50)


async def test_all_others_end_and_nobody_elses(auth_db: Db) -> None:
    kept, foreign = await a_session(auth_db), await a_session(auth_db, BO)
    others = [await a_session(auth_db) for _ in range(3)]
    before = EndSession(account_id=ANA, session_id=others[0])
    await end_session(before, meta(), auth_db)
    wish = EndOtherSessions(account_id=ANA, session_id=kept)

    ended = await end_other_sessions(wish, meta(), auth_db)

    assert isinstance(ended, list)
    assert [each.session_id for each in ended] == sorted(others[1:])
    assert await sessions.of_account(auth_db, ANA) == [kept]
    assert await sessions.of_account(auth_db, BO) == [foreign]
    assert await end_other_sessions(wish, meta(), auth_db) == Unchanged()


async def test_an_account_can_lose_all_its_sessions(auth_db: Db) -> None:
    made = sorted([await a_session(auth_db), await a_session(auth_db)])

    ended = await end_all(auth_db, ANA, "password_changed", meta())

    assert [(each.session_id, each.end_reason) for each in ended] == [(id, "password_changed") for id in made]


async def test_a_session_is_called_what_its_owner_says(auth_db: Db) -> None:
    session = await a_session(auth_db, device="phone")
    wish, first = NameSession(account_id=ANA, session_id=session, device="old phone"), meta()

    named = await name_session(wish, first, auth_db)

    assert isinstance(named, SessionNamed)
    assert (named.device, named.version) == ("old phone", 2)
    assert await name_session(wish, meta(), auth_db) == Unchanged(after=first.id)


async def test_one_that_has_ended_takes_no_name(auth_db: Db) -> None:
    session = await a_session(auth_db)
    await end_session(EndSession(account_id=ANA, session_id=session), meta(), auth_db)

    refused = await name_session(NameSession(account_id=ANA, session_id=session, device="x"), meta(), auth_db)

    assert refused == Refusal("not_found")


async def test_a_session_that_nobody_uses_ends_on_the_tick_of_its_partition(auth_db: Db) -> None:
    session = await a_session(auth_db)
    here = partition(session)

    assert await over(auth_db, here, meta(None, minutes=60 * DAY - 1)) == []
    assert await over(auth_db, (here + 1) % 12, meta(None, minutes=60 * DAY)) == []
    (ended,) = await over(auth_db, here, meta(None, minutes=60 * DAY))

    assert isinstance(ended, SessionEnded)
    assert (ended.session_id, ended.end_reason) == (session, "expired")


async def test_a_session_is_forgotten_a_month_after_its_end(auth_db: Db) -> None:
    session = await a_session(auth_db)
    await end_session(EndSession(account_id=ANA, session_id=session), meta(), auth_db)

    assert await over(auth_db, partition(session), meta(None, minutes=30 * DAY - 1)) == []
    gone = await over(auth_db, partition(session), meta(None, minutes=30 * DAY))

    assert gone == [SessionGone(session_id=session, version=3)]
    assert await sessions.get(auth_db, session) is None
