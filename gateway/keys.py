"""Public keys of identity, as the read model shows them: to seal commands to, and to verify tokens with."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from gateway.problems import ProblemError
from gateway.reads.database import Database
from infra.jwk import public_jwk
from infra.sealing import unb64
from infra.telemetry.errors import describe
from infra.tokens import VerifyingKey, public_key

if TYPE_CHECKING:
    from asyncpg import Record

EVERY: Final = 0.5
KEYS: Final = "SELECT key_id, use, public FROM read_keys.key ORDER BY published_at"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SealingKey:
    """What secrets are sealed to."""

    key_id: str
    public: bytes


@dataclass(slots=True)
class PublicKeys:
    """The keys there are. `run` must be running."""

    database: Database
    local: Sequence[dict[str, str]] = ()
    """The local stack's own, as members of a JWK set."""
    ring: dict[str, VerifyingKey] = field(default_factory=dict)
    _sealing: SealingKey | None = None
    _points: dict[str, bytes] = field(default_factory=dict)

    @property
    def sealing(self) -> SealingKey:
        """The key for new commands; raises ProblemError (503) while none is known."""
        if self._sealing is None:
            raise ProblemError("unavailable", "Signing in is not possible yet; try again soon.")
        return self._sealing

    @property
    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The keys that verify tokens, as a JWK set (RFC 7517 section 5)."""
        return {"keys": [*self.local, *(public_jwk(point) for point in self._points.values())]}

    async def look(self) -> None:
        """Take what the read model shows now; raises ProblemError while the database is away."""
        self._take(await self.database.fetch(KEYS))

    async def run(self) -> None:
        """Look again and again, until cancelled; while the database is away the keys stay as they were."""
        while True:
            try:
                await self.look()
            except ProblemError as error:
                log.debug("keys stay as they were", error=describe(error))
            await asyncio.sleep(EVERY)

    def _take(self, rows: "Sequence[Record]") -> None:
        for row in rows:
            if row["use"] == "seal":
                self._sealing = SealingKey(row["key_id"], unb64(row["public"]))
        points = {row["key_id"]: unb64(row["public"]) for row in rows if row["use"] == "sign"}
        if points != self._points:
            self._points = points
            self.ring.clear()
            self.ring.update({key_id: public_key(point) for key_id, point in points.items()})
