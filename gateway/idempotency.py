"""Idempotency-Key: the same key names the same command, and only with the same body."""

import asyncio
import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

import structlog
from redis.asyncio import Redis
from uuid_utils.compat import uuid7

from gateway.problems import ProblemError
from gateway.valkey import AWAY, AWAY_SECONDS
from infra.telemetry.errors import describe

KEY: Final = re.compile(rb"[\x20-\x7e]{1,255}")
KEPT_SECONDS: Final = 8 * 24 * 3600
SHOWN: Final = 16

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A command's id, and with a key the SHA-256 (hex) of body and If-Match."""

    command_id: UUID
    body_hash: str | None = None

    @property
    def path(self) -> str:
        """`/v1/commands/<id>`, with a key `?body=<first 16 hex digits>`."""
        body = "" if self.body_hash is None else f"?body={self.body_hash[:SHOWN]}"
        return f"/v1/commands/{self.command_id}{body}"

    def check(self, decided: str | None) -> None:
        """Raises ProblemError (422) when the decision with this id is about another body."""
        if self.body_hash is not None and decided is not None and decided != self.body_hash:
            raise reused()


def identify(
    actor: UUID, route: Iterable[str], key: bytes | None, raw: bytes, if_match: bytes | None
) -> Identity:
    """`route` is method, template and parsed path values. Raises ProblemError (400) for a bad key."""
    if key is None:
        return Identity(uuid7())
    if not KEY.fullmatch(key):
        raise ProblemError("malformed", "An Idempotency-Key has 1 to 255 printable ASCII characters.")
    digest = hashlib.sha256(raw)
    if if_match is not None:
        digest.update(b"\nIf-Match: " + if_match)
    return Identity(uuid5(actor, "\n".join([*route, key.decode()])), digest.hexdigest())


def reused() -> ProblemError:
    """The key came with another body before."""
    return ProblemError(
        "idempotency-key-reused",
        "This Idempotency-Key came with another body or If-Match before; take a new key for a new request.",
    )


class Remembered:
    """Which body each key came with, in Valkey: an early answer only, the decision is the truth.

    What arrives while one round trip is away goes with the next.
    """

    def __init__(self, valkey: Redis) -> None:
        self._valkey = valkey
        self._arrived: list[tuple[Identity, asyncio.Future[bytes | None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._away_until = 0.0

    async def check(self, identity: Identity) -> None:
        """Raises ProblemError (422) when Valkey remembers another body."""
        if identity.body_hash is None:
            return
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._arrived.append((identity, answer))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        before = await answer
        if before is not None and before.decode() != identity.body_hash:
            raise reused()

    async def _flush(self) -> None:
        while self._arrived:
            batch, self._arrived = self._arrived, []
            answers: Sequence[bytes | BaseException | None] = [None] * len(batch)
            try:
                if time.monotonic() >= self._away_until:
                    answers = await self._ask([identity for identity, _ in batch])
            except AWAY as error:
                log.warning(
                    "idempotency keys are checked late: Valkey does not answer", error=describe(error)
                )
                self._away_until = time.monotonic() + AWAY_SECONDS
            for (_, waiting), before in zip(batch, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(before if isinstance(before, bytes) else None)

    async def _ask(self, identities: list[Identity]) -> Sequence[bytes | BaseException | None]:
        pipeline = self._valkey.pipeline(transaction=False)
        for identity in identities:
            pipeline.set(
                f"pickly:key:{identity.command_id}",
                identity.body_hash or "",
                ex=KEPT_SECONDS,
                nx=True,
                get=True,
            )
        return await pipeline.execute(raise_on_error=False)
