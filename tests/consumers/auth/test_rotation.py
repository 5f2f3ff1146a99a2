"""Rotation: honest clients are never cut off, and an old token always ends its family."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consumers.auth.refresh_tokens import RefreshToken, digest, family_key, first, successor
from consumers.auth.rotation import GRACE, Family, No, Repeat, Rotate, decide

SESSION = UUID("0198c0de-0000-7000-8000-000000000001")
KEY = family_key(bytes(range(32)), SESSION)
FIRST = first(KEY, SESSION, bytes(32))
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
EXPIRES = BEGAN + timedelta(days=36500)
TICK = timedelta(microseconds=1)


class Server:
    """The stored family and the clock, with decisions stored as a caller stores them."""

    def __init__(self) -> None:
        self.family = Family(current=digest(FIRST), parent=None, rotated_at=BEGAN, expires_at=EXPIRES)
        self.at = BEGAN

    def use(self, token: RefreshToken) -> Rotate | Repeat | No:
        decision = decide(self.family, KEY, token, self.at)
        if isinstance(decision, Rotate):
            self.family = decision.family
        elif decision is No.REPLAY:
            self.family = replace(self.family, revoked=True)
        return decision

    def refresh(self, token: RefreshToken) -> RefreshToken:
        decision = self.use(token)
        assert isinstance(decision, Rotate | Repeat), decision
        return decision.token


def line(length: int) -> list[RefreshToken]:
    tokens = [FIRST]
    while len(tokens) < length:
        tokens.append(successor(KEY, tokens[-1]))
    return tokens


def test_the_current_token_is_replaced_by_its_successor() -> None:
    server = Server()

    decision = server.use(FIRST)

    child = successor(KEY, FIRST)
    assert decision == Rotate(child, Family(digest(child), digest(FIRST), BEGAN, EXPIRES))


def test_the_parent_gets_the_same_successor_until_a_minute_has_passed() -> None:
    server = Server()
    child = server.refresh(FIRST)

    server.at = BEGAN + GRACE
    assert server.use(FIRST) == Repeat(child)

    server.at += TICK
    assert server.use(FIRST) is No.REPLAY
    assert server.use(child) is No.REVOKED


def test_a_repeat_does_not_make_the_minute_longer() -> None:
    server = Server()
    server.refresh(FIRST)
    for _ in range(6):
        server.at += GRACE / 6
        assert isinstance(server.use(FIRST), Repeat)

    server.at += TICK

    assert server.use(FIRST) is No.REPLAY


def test_a_clock_that_goes_back_revokes_nothing() -> None:
    server = Server()
    child = server.refresh(FIRST)

    server.at -= timedelta(seconds=5)

    assert server.use(FIRST) == Repeat(child)


def test_a_token_that_we_did_not_make_changes_nothing() -> None:
    server = Server()
    forged = replace(FIRST, tag=bytes(16))

    assert server.use(forged) is No.UNKNOWN
    assert isinstance(server.use(FIRST), Rotate)


def test_a_token_of_no_stored_session_is_unknown() -> None:
    assert decide(None, KEY, FIRST, BEGAN) is No.UNKNOWN


def test_an_expired_family_gives_nothing_and_is_no_replay() -> None:
    server = Server()
    server.refresh(FIRST)

    server.at = EXPIRES

    assert server.use(FIRST) is No.EXPIRED


def test_a_token_from_beyond_the_current_one_ends_the_family_too() -> None:
    server = Server()

    assert server.use(line(3)[2]) is No.REPLAY


@dataclass(frozen=True)
class Turn:
    """One refresh by an honest client, tried again so many seconds after the first try, in so many tabs."""

    pause: float
    tries: list[float]
    tabs: int


turns = st.builds(
    Turn,
    pause=st.floats(0, 10**6),
    tries=st.lists(st.floats(0, 60), max_size=5).map(sorted),
    tabs=st.integers(1, 4),
)


@given(plan=st.lists(turns, max_size=30))
def test_an_honest_client_is_never_taken_for_a_thief(plan: list[Turn]) -> None:
    server, held = Server(), FIRST
    for turn in plan:
        server.at += timedelta(seconds=turn.pause)
        began = server.at
        answers = set()
        for after in [0.0, *turn.tries]:
            server.at = began + timedelta(seconds=after)
            answers |= {server.refresh(held) for _ in range(turn.tabs)}
        (held,) = answers  # every try and every tab was given the same successor

    assert held == line(len(plan) + 1)[-1]
    assert not server.family.revoked


@given(
    uses=st.integers(2, 12),
    age=st.integers(2, 12),
    pauses=st.lists(st.floats(0, 1000), min_size=12, max_size=12),
)
def test_a_token_older_than_the_parent_always_ends_the_family(
    uses: int, age: int, pauses: list[float]
) -> None:
    server, held = Server(), FIRST
    for pause in pauses[:uses]:
        server.at += timedelta(seconds=pause)
        held = server.refresh(held)
    old = line(uses + 1)[max(0, uses - age)]

    assert server.use(old) is No.REPLAY
    assert server.use(held) is No.REVOKED


@given(late=st.timedeltas(min_value=GRACE + TICK, max_value=timedelta(days=400)))
def test_the_parent_after_its_minute_always_ends_the_family(late: timedelta) -> None:
    server = Server()
    child = server.refresh(FIRST)

    server.at += late

    assert server.use(FIRST) is No.REPLAY
    assert server.use(child) is No.REVOKED


def test_fifty_uses_of_one_token_at_once_give_one_successor() -> None:
    server = Server()

    decisions = [server.use(FIRST) for _ in range(50)]

    child = successor(KEY, FIRST)
    assert [type(decision) for decision in decisions] == [Rotate] + 49 * [Repeat]
    assert {d.token for d in decisions if isinstance(d, Rotate | Repeat)} == {child}
    assert server.family.current == digest(child)
