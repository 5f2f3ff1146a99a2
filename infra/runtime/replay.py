"""The third loop of a group: dead letters that ops has marked are replayed or dropped, oldest first.

Each in a transaction of its own under the partition's fence: the position row is locked and keeps its offset,
so no poll of this or another member runs beside it, and a member that was replaced cannot commit.
"""

from typing import Final

import structlog
from aiokafka import TopicPartition

from infra.runtime import marked, metrics, positions
from infra.runtime.decoding import UnknownTypeError, decode
from infra.runtime.fates import Fate, StaleOwnerError, fate_of
from infra.runtime.handlers import Db
from infra.runtime.marked import DROP, LOSSY, Letter
from infra.runtime.poll import Poller
from infra.runtime.positions import Move
from infra.runtime.records import Dead, Incoming, Passed
from infra.telemetry.errors import describe

log = structlog.get_logger(__name__)

PAGE: Final = 200
"""Letters read at once; a round goes on until nothing is due."""
WAITS: Final = (Fate.OUTAGE, Fate.AGAIN)


class _FailsAgainError(Exception):
    """What the letter holds is no message for this group, now as before."""

    def __init__(self, reason: str, error: str) -> None:
        super().__init__(error)
        self.reason = reason


class Replay:
    """Works off the marked letters on the partitions that the poller of this process owns."""

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self._group = poller.group

    async def run_due(self) -> int:
        """Replay and drop everything that is due now; returns how many letters were closed or failed again.

        Where something is away, letters stay marked, and the next round goes on.
        """
        async with self.poller.connection.use() as db:
            places = await marked.places(db, self._group.name)
        done = 0
        for place in places:
            if place in self.poller.expected:
                done += await self._work_off(place)
        return done

    async def _work_off(self, place: TopicPartition) -> int:
        total = 0
        try:
            while True:
                async with self.poller.connection.use() as db:
                    page = await marked.due(db, self._group.name, place, PAGE, ordered=self._group.parks)
                done = [letter for letter in page if await self._settle(letter)]
                total += len(done)
                if not done:
                    return total
        except StaleOwnerError:
            metrics.FENCED.labels(self._group.name).inc()
        except Exception as error:
            if fate_of(error) not in WAITS:
                raise
            log.warning("replay_put_off", group=self._group.name, place=str(place), error=describe(error))
        return total

    async def _settle(self, letter: Letter) -> bool:
        """Whether something became of it. Raises StaleOwnerError, and what an outage raises."""
        try:
            result = await self._close(letter)
        except StaleOwnerError:
            raise
        except Exception as error:
            if fate_of(error) in WAITS:
                raise
            result = await self._reopen(letter, error)
        if result is not None:
            metrics.LETTERS.labels(self._group.name, result).inc()
            log.info("letter", group=self._group.name, result=result, place=_words(letter))
        return result is not None

    async def _close(self, letter: Letter) -> str | None:
        ready = None if letter.state == DROP else await self._ready(letter)
        async with self.poller.connection.use() as db, db.transaction():
            if not await self._hold(db, letter):
                return None
            if ready is not None:
                await self._group.replay(db, ready, known=letter.message_id is not None)
            elif letter.state == DROP and letter.message_id is not None:
                await self._group.drop(db, letter.message_id)
            await marked.close(db, self._group.name, letter)
        return "dropped" if letter.state == DROP else "replayed"

    async def _ready(self, letter: Letter) -> Incoming | None:
        """Decoded and prepared; None when this group passes such messages over by now."""
        if letter.reason in LOSSY:
            raise _FailsAgainError(letter.reason, "key or headers could not be kept: it can only be dropped")
        try:
            decoded = decode(letter.record, self._group)
        except UnknownTypeError as unknown:
            raise _FailsAgainError("unknown_type", str(unknown)) from None
        if isinstance(decoded, Dead):
            raise _FailsAgainError(decoded.reason, decoded.error)
        if isinstance(decoded, Passed):
            return None
        (prepared,) = await self.poller.preparation.run([decoded])
        assert isinstance(prepared, Incoming)
        return prepared

    async def _hold(self, db: Db, letter: Letter) -> bool:
        """Fence the partition where it stands; whether the letter is still due then."""
        place = letter.record.place
        expected = self.poller.expected.get(place)
        if expected is None:
            raise StaleOwnerError(f"{place} is not ours any more")
        await positions.fence(
            db, self._group.name, self.poller.owner, [Move(place, expected, expected, None)]
        )
        return await marked.still_due(db, self._group.name, letter, ordered=self._group.parks)

    async def _reopen(self, letter: Letter, error: Exception) -> str | None:
        reason = error.reason if isinstance(error, _FailsAgainError) else "handler_failed"
        text = str(error) if isinstance(error, _FailsAgainError) else describe(error)
        async with self.poller.connection.use() as db, db.transaction():
            if not await self._hold(db, letter):
                return None
            await marked.reopen(db, self._group.name, letter, reason, text)
        return "failed again"


def _words(letter: Letter) -> str:
    record = letter.record
    return f"{record.topic}/{record.partition}/{record.offset}"
