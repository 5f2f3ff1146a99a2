"""A group with a bug on a database of its own, without a broker: what ops finds, and what comes of it."""

import asyncio
import copy
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import TopicPartition

from consumers.curation.app import curation
from infra.partitions import partition_of
from infra.runtime import Db, Decider
from infra.runtime.connection import Connection
from infra.runtime.poll import Poller
from infra.runtime.prepare import Preparation
from infra.runtime.records import Record
from infra.runtime.replay import Replay
from infra.settings import Settings
from schemas.envelope import CONTRACT, Meta
from schemas.message import Message
from schemas.picks import PublishPick
from schemas.things import NewThing
from schemas.topics import PICK_COMMANDS
from tests.given import ANA, a_pick
from tests.infra.runtime.widgets import Tape, polled

OURS = f"urn:pickly:{{type}}:{CONTRACT}"
SECRET = "a note that nobody else should read"


def buggy() -> Decider:
    """Curation, with a handler that dies of ratings below two and quotes the note."""
    group = copy.copy(curation)
    group.handlers = dict(curation.handlers)
    publish = group.handlers["PublishPick"].function

    async def wrong(pick: PublishPick, meta: Meta, db: Db) -> object:
        if pick.rating is not None and pick.rating < 2:
            raise ValueError(f"no such rating: {pick.note}")
        return await publish(pick, meta, db)

    group.handlers["PublishPick"] = replace(group.handlers["PublishPick"], function=wrong)
    return group


def pick(title: str, *, rating: float = 1.0) -> PublishPick:
    """A wish to publish what has this title."""
    return a_pick(thing=NewThing(ref=f"isbn:{title}", kind="book", title=title), rating=rating, note=SECRET)


@dataclass
class Curation:
    """Curation at work on the database of `settings`; records go in by hand."""

    settings: Settings
    group: Decider
    poller: Poller
    tape: Tape

    async def take(
        self, *messages: Message, first_id: int = 1, dataschema: str | None = OURS
    ) -> list[Record]:
        """Put commands on their topic, and poll until all are applied. `dataschema`: their header, if any."""
        records = [
            _written_with(dataschema, self.tape.add(message, actor=ANA, id=UUID(int=first_id + n, version=4)))
            for n, message in enumerate(messages)
        ]
        while left := [r for r in records if r.offset >= self.poller.expected[r.place]]:
            await self.poller.run(polled(*left))
        return records

    @asynccontextmanager
    async def replaying(self, group: Decider = curation) -> AsyncIterator[None]:
        """A process with `group` works off what is marked, as RunningGroup does."""
        self.poller.group = group
        task = asyncio.create_task(_work_off(Replay(self.poller)))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _written_with(dataschema: str | None, record: Record) -> Record:
    headers = {name: value for name, value in record.headers if name != "ce_dataschema"}
    if dataschema is not None:
        kind = (headers["ce_type"] or b"").decode()
        headers["ce_dataschema"] = dataschema.format(type=kind).encode()
    return replace(record, headers=tuple(headers.items()))


async def _work_off(replay: Replay) -> None:
    while True:
        await replay.run_due()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def curating(settings: Settings) -> AsyncIterator[Curation]:
    """The buggy group owns all partitions of its commands."""
    group = buggy()
    connection = Connection(settings, "curation", purpose="test")
    poller = Poller(group, connection, Preparation(settings, "curation"), "test")
    places = [TopicPartition(PICK_COMMANDS.name, n) for n in range(PICK_COMMANDS.partitions)]
    async with connection.use() as db:
        await db.executemany(
            "INSERT INTO position (group_name, topic, partition, next_offset) VALUES ('curation', $1, $2, 0)",
            places,
        )
    poller.expected = dict.fromkeys(places, 0)
    poller.seen_until = dict.fromkeys(places, datetime.now(UTC))
    yield Curation(settings, group, poller, Tape.of(PICK_COMMANDS))
    await connection.close()


def address(message: Message, offset: int) -> str:
    """How ops names the letter of a command."""
    return f"curation/pick.commands/{partition_of(message.key, PICK_COMMANDS)}/{offset}"


def command_ids(numbers: Sequence[int]) -> list[UUID]:
    """The ids that `Curation.take` gives."""
    return [UUID(int=number, version=4) for number in numbers]
