"""The security log: one entry per kind, session and command, and its end after a year."""

from consumers.auth import chores, security
from infra.partitions import partition_of
from infra.runtime import Db
from schemas.ids import made_by
from schemas.message import Tick
from schemas.security import SecurityForgotten
from schemas.topics import AUTH_COMMANDS
from tests.given import ANA, meta

HERE = partition_of(str(ANA), AUTH_COMMANDS)
A_YEAR = 365 * 24 * 60


async def test_an_entry_says_what_was_done_when_and_where(auth_db: Db) -> None:
    asked = meta()
    session_id = made_by(asked.id, "sessions")

    entry = await security.noted(
        auth_db, asked, ANA, "session_ended", session_id=session_id, place="192.0.2.0/24", device="phone"
    )

    assert (entry.account_id, entry.kind, entry.at, entry.version) == (ANA, "session_ended", asked.at, 1)
    assert (entry.session_id, entry.place, entry.device) == (session_id, "192.0.2.0/24", "phone")


async def test_each_session_of_one_command_has_an_entry_of_its_own(auth_db: Db) -> None:
    asked = meta()
    sessions = [made_by(asked.id, f"session {n}") for n in range(3)]

    entries = [await security.noted(auth_db, asked, ANA, "session_ended", session_id=id) for id in sessions]

    assert len({entry.key for entry in entries}) == 3


async def test_after_a_year_an_entry_is_forgotten_once(auth_db: Db) -> None:
    entry = await security.noted(auth_db, meta(), ANA, "signed_in")
    tick = Tick(topic=AUTH_COMMANDS.name, partition=HERE)

    before = await chores.tidy(tick, meta(None, minutes=A_YEAR - 1), auth_db, [])
    due = await chores.tidy(tick, meta(None, minutes=A_YEAR), auth_db, [])
    after = await chores.tidy(tick, meta(None, minutes=A_YEAR + 1), auth_db, [])

    end = SecurityForgotten(account_id=ANA, event_id=entry.event_id, version=2)
    assert ends(before) == ends(after) == []
    assert ends(due) == [end]


def ends(messages: object) -> list[SecurityForgotten]:
    assert isinstance(messages, list)
    return [message for message in messages if isinstance(message, SecurityForgotten)]
