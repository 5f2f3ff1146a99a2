"""A projection: events in, rows out, nothing else. So it can be built again from the log at any time."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

from infra.roles import READ_PREFIX
from infra.runtime import gone, letters
from infra.runtime.group import Group
from infra.runtime.handlers import DEFAULT_COST, Db, Function, Handler, MessageType
from infra.runtime.records import Dead, Decoded, Incoming
from infra.runtime.results import Item
from schemas.message import Tombstone
from schemas.topics import Topic


class Projection(Group):
    """Keeps one read model. Its Kafka group, schema and role are called `read_<name>`.

    A handler takes `(batch, db)` and writes rows that carry the version of their key, so that only a higher
    version is applied. Of each key it gets the newest state of the poll alone. Handlers of different topics
    commute: a fact about an unknown parent is kept.
    """

    def __init__(self, name: str, *topics: Topic, ignores: tuple[MessageType, ...] = ()) -> None:
        super().__init__(f"{READ_PREFIX}{name}", *topics, ignores=ignores)

    def on(self, *kinds: MessageType, cost: float = DEFAULT_COST / 10) -> Callable[[Function], Function]:
        """Show messages of these types, many at once."""

        def register(function: Function) -> Function:
            self.register(Handler(function, kinds, many=True, cost=cost))
            return function

        return register

    async def apply(self, db: Db, decoded: Sequence[Decoded]) -> None:
        """Write rows for `decoded`, inside the caller's fenced transaction."""
        dead = [each for each in decoded if isinstance(each, Dead)]
        newest = await _newest(db, self.name, [each for each in decoded if isinstance(each, Incoming)])
        runs: dict[int, tuple[Handler, list[Incoming]]] = {}
        for each in newest:
            runs.setdefault(id(each.handler), (each.handler, []))[1].append(each)
        for handler, run in runs.values():
            await handler.function([Item(each.message, each.meta) for each in run], db)
        if dead:
            await letters.insert(db, self.name, dead)

    async def replay(self, db: Db, incoming: Incoming, *, known: bool) -> None:  # noqa: ARG002 - no inbox here
        """Apply it if nothing newer of its key has been: the version guard decides."""
        await self.apply(db, [incoming])

    async def drop(self, db: Db, command_id: UUID) -> None:
        """Nobody waits for an answer of a projection."""

    @property
    def parks(self) -> bool:
        """A newer state of the key makes it whole."""
        return False


async def _newest(db: Db, group: str, incoming: Sequence[Incoming]) -> list[Incoming]:
    """The newest message of each key, unless its tombstone has overtaken it; in order of the keys.

    Older dead letters of these keys are closed: a newer state makes them whole again.
    """
    if not incoming:
        return []
    by_key: dict[tuple[str, str], list[Incoming]] = defaultdict(list)
    for each in incoming:
        by_key[each.record.topic, each.key].append(each)
    newest = [max(same, key=_sequence) for _, same in sorted(by_key.items())]
    last = await gone.last_of(db, newest)
    tombs = [each for each in incoming if isinstance(each.message, Tombstone)]
    if tombs:
        await gone.remember(db, [(t.record.topic, t.key, _sequence(t)) for t in tombs])
    states = [(e.record.topic, e.key, _sequence(e), isinstance(e.message, Tombstone)) for e in newest]
    await letters.close_older(db, group, states)
    return [e for e in newest if _sequence(e) > last.get((e.record.topic, e.key), 0)]


def _sequence(each: Incoming) -> int:
    return each.meta.sequence or 0
