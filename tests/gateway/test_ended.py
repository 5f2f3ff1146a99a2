"""Which tokens are refused although they are well signed, and when nobody can say."""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from consumers.projections.accounts import store as accounts
from consumers.projections.sessions import store as sessions
from gateway import ended as module
from gateway.ended import Ended, late
from gateway.problems import ProblemError
from gateway.services import Services
from gateway.standing import Position
from infra.tokens import Claims
from schemas.accounts import AccountOpened
from schemas.sessions import SessionStarted
from tests.gateway.mesh import Mesh
from tests.gateway.tables import DECIDE, At, offsets_of

HERE = At("session.events", 3, 10)


def now() -> datetime:
    """Asked in each test: when a whole suite is collected is long before its last test runs."""
    return datetime.now(UTC)


def a_token(
    account: UUID | None = None,
    session: UUID | None = None,
    issued_at: datetime | None = None,
    roles: Iterable[str] = ("member",),
) -> Claims:
    """What a good token says."""
    seconds = int((issued_at or now()).timestamp())
    return Claims(account or uuid4(), str(session or uuid4()), frozenset(roles), seconds + 600, seconds)


async def a_session(mesh: Mesh, ended_at: datetime | None) -> UUID:
    """A session as its read model shows it."""
    began = now()
    state = SessionStarted(
        session_id=uuid4(), account_id=uuid4(), started_at=began, seen_at=began, ended_at=ended_at, version=1
    )
    async with mesh.lock:
        await mesh.search("read_sessions")
        await sessions.show(mesh.connection, [state])
    return state.session_id


async def an_account(mesh: Mesh, changed_at: datetime | None, standing: str = "active") -> UUID:
    """An account as its read model shows it."""
    id = uuid4()
    known = {"account_id": id, "handle": f"h{id.hex[:20]}", "opened_at": now(), "version": 1}
    state = AccountOpened.model_validate(known | {"roles_changed_at": changed_at, "standing": standing})
    async with mesh.lock:
        await mesh.search("read_accounts")
        await accounts.show(mesh.connection, [state])
    return id


@pytest.fixture
async def ended(services: Services, mesh: Mesh) -> AsyncIterator[Ended]:
    """A view that nobody has looked with yet; what a test decided is forgotten after it."""
    yield Ended(services.database)
    await mesh.run("auth", "DELETE FROM decision")
    await mesh.run("read_sessions", "DELETE FROM position")


async def decided(mesh: Mesh, *places: At, events: int = 1, seconds_ago: float = 5) -> None:
    """Identity decided something that made so many events, of which those at `places` were sent."""
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    values = (uuid4(), None, "EndSession", "decided", None, f"sessions/{uuid4()}", None)
    await mesh.run("auth", DECIDE, *values, events, offsets_of(places), None, at)


async def test_what_ended_lately_is_refused(ended: Ended, mesh: Mesh) -> None:
    lately, long_ago = now() - timedelta(minutes=14), now() - timedelta(minutes=16)
    dead, alive, forgotten = [await a_session(mesh, at) for at in (lately, None, long_ago)]

    assert not ended.refuses(a_token(session=dead))
    await ended.look()

    assert ended.refuses(a_token(session=dead))
    assert not ended.refuses(a_token(session=alive))
    assert not ended.refuses(a_token(session=forgotten))  # its last token has ended


async def test_tokens_from_before_a_change_of_rights_are_refused(ended: Ended, mesh: Mesh) -> None:
    changed_at = now()
    changed, same = await an_account(mesh, changed_at), await an_account(mesh, None)

    await ended.look()

    before, after = changed_at - timedelta(seconds=1), changed_at + timedelta(seconds=1)
    assert ended.refuses(a_token(changed, issued_at=before))
    assert not ended.refuses(a_token(changed, issued_at=after))
    assert not ended.refuses(a_token(same, issued_at=before))


async def test_a_role_that_was_taken_away_is_refused_whenever_the_token_was_issued(
    ended: Ended, mesh: Mesh
) -> None:
    account, after = await an_account(mesh, now()), now() + timedelta(seconds=30)

    await ended.look()

    assert ended.refuses(a_token(account, issued_at=after, roles=("member", "admin")))
    assert not ended.refuses(a_token(account, issued_at=after, roles=()))


async def test_a_suspended_account_has_no_good_token(ended: Ended, mesh: Mesh) -> None:
    account = await an_account(mesh, now(), "suspended")

    await ended.look()

    assert ended.refuses(a_token(account, issued_at=now() + timedelta(minutes=5)))


async def test_before_the_first_look_nothing_is_certain(ended: Ended) -> None:
    assert ended.why_not_ready()
    with pytest.raises(ProblemError, match="unavailable"):
        ended.must_be_fresh()

    await ended.look()

    assert ended.why_not_ready() is None
    ended.must_be_fresh()


async def test_a_view_grows_old(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    await ended.look()

    monkeypatch.setattr(module, "TRUSTED_SECONDS", 0)

    with pytest.raises(ProblemError, match="unavailable"):
        ended.must_be_fresh()


async def test_it_is_not_certain_while_the_read_model_stands_still(ended: Ended, mesh: Mesh) -> None:
    await mesh.stop("read_sessions", HERE, "circuit open")
    await ended.look()
    stopped = ended.age

    await mesh.stop("read_sessions", HERE, None)
    await ended.look()

    assert stopped == float("inf")
    assert ended.age < float("inf")


async def test_it_is_not_certain_while_the_read_model_is_behind(ended: Ended, mesh: Mesh) -> None:
    await decided(mesh, HERE)
    await ended.look()
    behind = ended.age

    await mesh.move("read_sessions", HERE)
    await ended.look()

    assert behind == float("inf")
    assert ended.age < float("inf")


async def test_it_is_not_certain_while_events_wait_for_the_relay(ended: Ended, mesh: Mesh) -> None:
    await decided(mesh, events=1)

    await ended.look()

    assert ended.age == float("inf")


async def test_what_was_decided_just_now_may_take_its_time(ended: Ended, mesh: Mesh) -> None:
    await decided(mesh, HERE, seconds_ago=0.1)

    await ended.look()

    assert ended.age < float("inf")


def test_other_read_models_do_not_matter() -> None:
    assert not late([], {("read_picks", "pick.events", 0): Position(5, "circuit open")})
    assert late([], {("read_accounts", "account.events", 0): Position(5, "circuit open")})


async def test_without_the_database_the_view_stays_and_grows_old(
    ended: Ended, mesh: Mesh, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = await a_session(mesh, now())
    await ended.look()
    age = ended.age

    async def away(*_: object) -> list[asyncpg.Record]:
        raise ProblemError("unavailable", "The database does not answer.")

    monkeypatch.setattr(services.database, "fetch", away)

    with pytest.raises(ProblemError):
        await ended.look()
    assert ended.refuses(a_token(session=dead))
    assert ended.age > age
