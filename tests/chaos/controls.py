"""Broken runtimes and a broken relay, which the checks must notice: `--control NAME`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from aiokafka import TopicPartition

from infra.runtime import inbox, positions
from infra.runtime.decoding import Reading
from infra.runtime.handlers import Db
from infra.runtime.poll import Poller, Verdict
from infra.runtime.positions import Move
from producers import transactions
from tests.producers.rigged_relay import UnfencedProducer


def no_inbox() -> None:
    """Every id counts as new: a repeat has a second effect."""

    async def no_repeats(db: Db, group: str, ids: set[UUID]) -> set[UUID]:
        return set()

    vars(inbox)["admit"] = no_repeats


def commit_before_effect() -> None:
    """The position is committed by itself, and then come the effects: a death between loses them."""
    fence = positions.fence

    async def fence_and_commit(db: Db, group: str, owner: str, moves: Sequence[Move]) -> None:
        await fence(db, group, owner, moves)
        await db.execute("COMMIT; BEGIN")

    vars(positions)["fence"] = fence_and_commit


def ack_first() -> None:
    """A poll is acknowledged when it is delivered, before it is handled: FastStream's default."""
    fence, apply = positions.fence, Poller.apply

    async def acknowledge(
        self: Poller, readings: Mapping[TopicPartition, Reading]
    ) -> dict[TopicPartition, Verdict]:
        ours = {p: self.expected[p] for p in readings if p in self.expected}
        last = {p: readings[p].decoded[-1].record for p in ours if readings[p].decoded}
        moves = [Move(p, ours[p], record.offset + 1, record.at) for p, record in last.items()]
        moves = [move for move in moves if move.next_offset > move.expected]
        async with self.connection.use() as db, db.transaction():
            await fence(db, self.group.name, self.owner, moves)
        return await apply(self, readings)

    async def fence_the_rest(db: Db, group: str, owner: str, moves: Sequence[Move]) -> None:
        """What a poll moves was acknowledged; what an empty fetch moves was not."""
        if all(move.applied_at is None for move in moves):
            await fence(db, group, owner, moves)

    vars(positions)["fence"] = fence_the_rest
    Poller.apply = acknowledge  # type: ignore[method-assign]  # that is what a control is


def relay_unfenced() -> None:
    """No transactional id: a frozen relay that thaws sends what it had, after its successor."""
    vars(transactions)["AIOKafkaProducer"] = UnfencedProducer


CONTROLS: Final[dict[str, Callable[[], Any]]] = {
    "no-inbox": no_inbox,
    "commit-before-effect": commit_before_effect,
    "ack-first": ack_first,
    "relay-unfenced": relay_unfenced,
}
