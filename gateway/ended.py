"""Whose access tokens are worth nothing although they are signed and young: this gateway's view of them.

A token lives for ten minutes. So only what ended or changed lately has to be known, and every gateway looks
twice a second.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

import structlog

from gateway.evidence import positions_of_projections
from gateway.problems import ProblemError
from gateway.readiness import behind, newest, stopped, unsent
from gateway.reads.database import Database
from gateway.standing import Place, Position
from infra.tokens import Claims

if TYPE_CHECKING:
    from asyncpg import Record

EVERY: Final = 0.5
TRUSTED_SECONDS: Final = 2.0
"""How old this view may be when somebody wants to do something dangerous."""
LATELY: Final = 15 * 60
"""Seconds: longer than any token lives after its session's end, with the leeway between clocks."""
ENDED: Final = """
SELECT session_id FROM read_sessions.session WHERE ended_at > now() - make_interval(secs => $1)
"""
CHANGED: Final = """
SELECT account_id, standing, roles, roles_changed_at FROM read_accounts.account
 WHERE roles_changed_at > now() - make_interval(secs => $1)
"""
DECIDED: Final = """
SELECT schema_name, events, offsets FROM mesh.decisions
 WHERE schema_name = 'auth' AND at < now() - make_interval(secs => $1)
   AND at > now() - make_interval(secs => $2)
 ORDER BY at DESC LIMIT 200
"""
"""The newest of what should be shown by now: what is behind where there is traffic is seen."""
SHOWN_BY: Final[Mapping[str, str]] = {"session.events": "read_sessions", "account.events": "read_accounts"}
FOREVER: Final = float("inf")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rights:
    """What an account may since it changed: tokens from before are no good, nor are those with more roles."""

    since: float
    roles: Set[str]

    @classmethod
    def of(cls, account: "Record") -> Self:
        """From a row; a suspended account has no good token, whenever it was issued."""
        changed_at: float = account["roles_changed_at"].timestamp()
        since = FOREVER if account["standing"] == "suspended" else changed_at
        return cls(since, frozenset(account["roles"]))


class Ended:
    """Ended sessions, and accounts whose older tokens are refused. `run` must be running."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sessions: Set[str] = frozenset()
        self._changed: Mapping[UUID, Rights] = {}
        self._fresh_at: float | None = None

    @property
    def age(self) -> float:
        """Seconds since this view was certainly complete; infinite before the first look."""
        return FOREVER if self._fresh_at is None else time.monotonic() - self._fresh_at

    def why_not_ready(self) -> str | None:
        """For /readyz: None, or that a token of an ended session would still be taken here."""
        return "it was never known here" if self._fresh_at is None else None

    def refuses(self, claims: Claims) -> bool:
        """Whether the session of a token has ended, or its account has changed since it was issued.

        `iat` is in whole seconds, so a token of the second of the change counts as one from before.
        """
        if claims.session in self._sessions:
            return True
        rights = self._changed.get(claims.account)
        return rights is not None and (claims.issued_at < rights.since or not claims.roles <= rights.roles)

    def must_be_fresh(self) -> None:
        """Raises ProblemError (503) when a session may have ended that is not known here."""
        if self.age > TRUSTED_SECONDS:
            raise ProblemError(
                "unavailable", "It is not known at the moment which sessions have ended; try again soon."
            )

    async def look(self) -> None:
        """Look now; raises ProblemError while the database is away."""
        began = time.monotonic()
        # What these positions have passed is in the rows that are read after them.
        decided = await self._database.fetch(DECIDED, TRUSTED_SECONDS, LATELY)
        complete = not late(decided, await positions_of_projections(self._database))
        sessions = await self._database.fetch(ENDED, LATELY)
        accounts = await self._database.fetch(CHANGED, LATELY)
        self._sessions = {str(row["session_id"]) for row in sessions}
        self._changed = {row["account_id"]: Rights.of(row) for row in accounts}
        if complete:
            self._fresh_at = began

    async def run(self) -> None:
        """Look again and again, until cancelled; when that fails the view grows old."""
        while True:
            try:
                await self.look()
            except ProblemError:
                log.debug("which sessions have ended cannot be read")
            except Exception:
                log.exception("which sessions have ended: the look failed")
            await asyncio.sleep(EVERY)


def late(decided: "Sequence[Record]", positions: Mapping[Place, Position]) -> bool:
    """Whether a read model stands still, or has not shown what was decided long enough ago.

    `decided` has the columns schema_name, events and offsets of decisions.
    """
    ours = {place: position for place, position in positions.items() if place[0] in SHOWN_BY.values()}
    events = {event for event in newest(decided) if event.topic in SHOWN_BY}
    return bool(stopped(ours) or unsent(decided) or behind(events, ours, SHOWN_BY.values()))
