"""A decider: commands (or events) in, events out, each exactly once, in order per key."""

from collections.abc import Callable, Sequence
from uuid import UUID

from infra.runtime import gone, inbox, ledger, letters, marked
from infra.runtime.group import Group
from infra.runtime.handlers import DEFAULT_COST, Db, Function, Handler, MessageType
from infra.runtime.ledger import Entry
from infra.runtime.records import Dead, Decoded, Incoming, Passed
from infra.runtime.results import Item, Outcome, Refusal
from infra.runtime.waves import waves
from schemas.message import Command, State, Tick, Tombstone
from schemas.topics import Kind


class Decider(Group):
    """Decides what becomes of commands. `name` is its Kafka group, schema and role.

    A handler takes `(message, meta, db)` and returns an Outcome; a batch handler takes `(batch, db)` and
    returns one Outcome per message. It uses no clock, no randomness, and sends nothing.
    """

    def on(
        self, kind: MessageType, *, cost: float = DEFAULT_COST, prepare: Function | None = None
    ) -> Callable[[Function], Function]:
        """Handle one type, a message at a time. `prepare(message, meta, db)` runs before the transaction,
        and what it returns is the handler's fourth argument; a Refusal is the outcome at once."""

        def register(function: Function) -> Function:
            self.register(Handler(function, (kind,), many=False, cost=cost, prepare=prepare))
            return function

        return register

    def on_batch(
        self, *kinds: MessageType, cost: float = DEFAULT_COST / 10
    ) -> Callable[[Function], Function]:
        """Handle many at once, at most one per key, with set-based SQL in primary-key order."""

        def register(function: Function) -> Function:
            self.register(Handler(function, kinds, many=True, cost=cost))
            return function

        return register

    def effect(self, kind: str) -> Callable[[Function], Function]:
        """Run effects of this kind: `(id, payload)`, returns a command of its own topics, or None."""

        def register(function: Function) -> Function:
            self.effects[kind] = function
            return function

        return register

    async def apply(self, db: Db, decoded: Sequence[Decoded]) -> None:
        """Handle what is new among `decoded`, inside the caller's fenced transaction."""
        read = [each for each in decoded if not isinstance(each, Passed)]
        ids = {each.meta.id for each in read if each.meta}
        seen = await inbox.admit(db, self.name, ids) if ids else set()
        fresh = [each for each in read if _first(each, seen)]
        living, dead, parked = await self._sort_out(db, fresh)
        await ledger.write(db, self, await self._handle(db, living))
        if dead or parked:
            await self._set_aside(db, dead, parked)

    async def replay(self, db: Db, incoming: Incoming, *, known: bool) -> None:
        """Handle it past the inbox; what is decided takes the place of `parked`.

        A letter whose id could not be read when it died is a message like any other: not if it is a repeat.
        """
        if known:
            await inbox.touch(db, self.name, incoming.meta.id)
        elif await inbox.admit(db, self.name, {incoming.meta.id}):
            return
        await ledger.write(db, self, await self._handle(db, [incoming]), again=True)

    async def drop(self, db: Db, command_id: UUID) -> None:
        """Its sender learns that it has failed."""
        await marked.fail(db, command_id)

    @property
    def parks(self) -> bool:
        """Commands of a key are handled in order or not at all."""
        return True

    async def _handle(self, db: Db, living: list[Incoming]) -> list[Entry]:
        entries: list[Entry] = []
        for wave in waves(await _still_there(db, living)):
            for handler, run in wave:
                made = await self._run(db, handler, run)
                await ledger.bury(db, made)
                entries += made
        return entries

    async def _sort_out(
        self, db: Db, fresh: Sequence[Dead | Incoming]
    ) -> tuple[list[Incoming], list[Dead], list[Incoming]]:
        """What can be handled, what is dead, and what is parked behind a dead one of its key."""
        keyed = [each for each in fresh if each.key is not None and self._parking(each)]
        topics, keys = [each.record.topic for each in keyed], [each.key or "" for each in keyed]
        closed = await letters.parked_keys(db, self.name, topics, keys) if keyed else set()
        living: list[Incoming] = []
        dead: list[Dead] = []
        parked: list[Incoming] = []
        for each in fresh:
            key = (each.record.topic, each.key or "")
            if isinstance(each, Dead):
                dead.append(each)
                if each.key is not None and self._parking(each):
                    closed.add(key)
            elif key in closed:
                parked.append(each)
            else:
                living.append(each)
        return living, dead, parked

    async def _run(self, db: Db, handler: Handler, run: Sequence[Incoming]) -> list[Entry]:
        forged = [each for each in run if _forged(each)]
        honest = [each for each in run if not _forged(each)] if forged else run
        entries = [Entry(each, "refused", "not_the_actor") for each in forged]
        outcomes: Sequence[Outcome]
        if handler.many:
            batch = [Item(each.message, each.meta) for each in honest]
            outcomes = await handler.function(batch, db) if batch else []
        else:
            outcomes = [await _call(handler, each, db) for each in honest]
        if len(outcomes) != len(honest):
            raise TypeError(
                f"{handler.function.__name__}: {len(outcomes)} outcomes of {len(honest)} messages"
            )
        pairs = zip(honest, outcomes, strict=True)
        return entries + [ledger.entry_of(self, each, outcome) for each, outcome in pairs]

    async def _set_aside(self, db: Db, dead: Sequence[Dead], parked: Sequence[Incoming]) -> None:
        """Dead letters, and for commands the decision `parked`: their caller learns that it takes longer.

        Sealed commands leave nothing but the decision `failed`.
        """
        kept = [each for each in dead if not self._sealed(each)]
        if kept or parked:
            await letters.insert(db, self.name, kept, parked)
        aside: list[Dead | Incoming] = [*dead, *parked]
        rows = [
            ledger.decision_row(each.meta, each.meta.subject[:200], *self._fate(each))
            for each in aside
            if each.meta and each.meta.type != Tick.__name__ and self._commands(each.record.topic)
        ]
        if rows:
            await ledger.decide(db, rows)

    def _fate(self, each: Dead | Incoming) -> tuple[str, str | None]:
        """Status and reason of a command that was set aside."""
        return ("failed", each.reason) if isinstance(each, Dead) and self._sealed(each) else ("parked", None)

    def _commands(self, topic: str) -> bool:
        return self.topics[topic].kind is Kind.COMMAND

    def _sealed(self, each: Dead | Incoming) -> bool:
        return self.topics[each.record.topic].sealed

    def _parking(self, each: Dead | Incoming) -> bool:
        """Whether later messages of its key must wait behind it; ticks and sealed commands park nothing."""
        return not self._sealed(each) and (each.meta is None or each.meta.type != Tick.__name__)


async def _call(handler: Handler, each: Incoming, db: Db) -> Outcome:
    if isinstance(each.prepared, Refusal):
        return each.prepared
    extra = (each.prepared,) if handler.prepare else ()
    outcome: Outcome = await handler.function(each.message, each.meta, db, *extra)
    return outcome if outcome is not None else []


def _first(each: Dead | Incoming, seen: set[UUID]) -> bool:
    """Whether it is the first of its id; adds the id to `seen`, so that a repeat in the poll is none."""
    if each.meta is None:
        return True
    if each.meta.id in seen:
        return False
    seen.add(each.meta.id)
    return True


def _forged(each: Incoming) -> bool:
    """Whether somebody else than its author sent it."""
    message = each.message
    if not isinstance(message, Command) or message.author_field is None:
        return False
    return bool(getattr(message, message.author_field) != each.meta.actor)


async def _still_there(db: Db, living: list[Incoming]) -> list[Incoming]:
    """Without foreign states that their tombstone has overtaken; remembers the tombstones among them."""
    states = [each for each in living if isinstance(each.message, State | Tombstone)]
    if not states:
        return living
    last = await gone.last_of(db, states)
    tombs = [each for each in states if isinstance(each.message, Tombstone)]
    if tombs:
        await gone.remember(db, [(t.record.topic, t.key, t.meta.sequence or 0) for t in tombs])
    late = {id(e) for e in states if (e.meta.sequence or 0) <= last.get((e.record.topic, e.key), 0)}
    return [each for each in living if id(each) not in late]
