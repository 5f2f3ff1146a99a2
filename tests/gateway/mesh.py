"""The mesh in miniature, for the gateway's tests: real deciders and read models, without runtime and relay.

It reads the command topics, lets the real handlers decide, and writes decisions, positions and read models
in one step, as the superuser. Offsets of events are made up.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from consumers.auth import leaving, profile, roles
from consumers.auth import sessions as own_sessions
from consumers.auth.rotation import Family
from consumers.auth.store import sessions as kept_sessions
from consumers.curation import app as curation
from consumers.projections.accounts import store as accounts
from consumers.projections.picks import store as picks
from consumers.projections.sessions import store as sessions
from consumers.projections.things import store as things
from consumers.social import app as social
from infra.partitions import partition_of
from infra.runtime import Item, Refusal, Unchanged
from infra.settings import Settings
from schemas.accounts import AccountOpened, AccountState
from schemas.envelope import Meta
from schemas.leaving import AskDeletion, CancelDeletion, Deactivate, Reactivate
from schemas.message import Command, Message
from schemas.picks import DeletePick, EditPick, PickState, PublishPick, RestorePick
from schemas.profile import ChangeHandle, ChangeProfile
from schemas.reactions import React, Reacted, ReactionGone, Unreact
from schemas.roles import GrantRole, RevokeRole
from schemas.sessions import (
    UNUSED_ENDS,
    EndOtherSessions,
    EndSession,
    NameSession,
    SessionStarted,
    SessionState,
)
from schemas.things import ThingAdded
from schemas.topics import ACCOUNT_COMMANDS, PICK_COMMANDS, REACTION_COMMANDS
from tests.accounts import opened
from tests.gateway.tables import DECIDE, MOVE, At, Tables, offsets_of

Handler = Callable[[Any, Meta, Any], Awaitable[Any]]
HANDLERS: dict[type[Message], Handler] = {
    PublishPick: curation.publish_pick,
    EditPick: curation.edit_pick,
    DeletePick: curation.delete_pick,
    RestorePick: curation.restore_pick,
    ChangeProfile: profile.change_profile,
    ChangeHandle: profile.change_handle,
    EndSession: own_sessions.end_session,
    EndOtherSessions: own_sessions.end_other_sessions,
    NameSession: own_sessions.name_session,
    Deactivate: partial(leaving.deactivate, random=bytes(12)),
    Reactivate: leaving.reactivate,
    AskDeletion: partial(leaving.ask_deletion, random=bytes(12)),
    CancelDeletion: leaving.cancel_deletion,
    GrantRole: roles.grant_role,
    RevokeRole: roles.revoke_role,
}
BATCH_HANDLERS: dict[type[Message], Callable[[Any, Any], Awaitable[Sequence[Any]]]] = {
    React: social.react,
    Unreact: social.unreact,
}
STATUS = {Refusal: "refused", Unchanged: "unchanged"}


class Mesh(Tables):
    """Follows the command topics beside what tests write by hand."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.effects: Counter[UUID] = Counter()
        self.projecting = asyncio.Event()
        self.projecting.set()
        self._offsets: dict[tuple[str, int], count[int]] = {}

    def next_place(self, event: Message) -> At:
        """Where the event would be on its topic."""
        partition = partition_of(event.key, event.topic)
        offsets = self._offsets.setdefault((event.topic.name, partition), count(1_000))
        return At(event.topic.name, partition, next(offsets))

    async def project(self, *events: Message) -> None:
        """Show events in the read models; positions stay."""
        async with self.lock:
            for event in events:
                await self._project(event)

    async def open(self, account: AccountOpened) -> None:
        """Let an account be there, for identity and in the read models."""
        async with self.lock:
            await self.search("auth")
            await opened(self.connection, account)
            await self._project(account)

    async def begin(self, session_id: UUID, account_id: UUID) -> None:
        """Let a session be there, for identity and in the read model."""
        now = datetime.now(UTC)
        known = {"session_id": session_id, "account_id": account_id, "started_at": now, "seen_at": now}
        session = SessionStarted.model_validate(known | {"version": 1})
        async with self.lock:
            await self.search("auth")
            family = Family(session_id.bytes, None, now, now + UNUSED_ENDS)
            await kept_sessions.add(self.connection, session, family, session_id)
            await self._project(session)

    async def follow(self, consumer: AIOKafkaConsumer) -> None:
        """Decide and project what gateways send, until cancelled; other tests use the same broker."""
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            if headers.get("ce_source") in ("pickly/gateway", "pickly/ops"):
                async with self.lock:
                    await self._handle(record, headers)

    async def _handle(self, record: ConsumerRecord, headers: dict[str, str]) -> None:
        meta = Meta.from_headers(headers, datetime.fromisoformat(headers["ce_time"]))
        if await self.connection.fetchval("SELECT 1 FROM mesh.decisions WHERE command_id = $1", meta.id):
            return
        self.effects[meta.id] += 1
        command = Message.catalogue[meta.type].model_validate_json(record.value)
        assert isinstance(command, Command)
        async with self.connection.transaction():
            outcome = await self._decide(command, meta)
        await self.projecting.wait()
        for event, place in outcome:
            await self._project(event)
            for group in event.topic.readers:
                if group.startswith("read_"):
                    await self.search(group)
                    values = (group, place.topic, place.partition, place.offset + 1, None)
                    await self.connection.execute(MOVE, *values)

    async def _decide(self, command: Command, meta: Meta) -> list[tuple[Message, At]]:
        schema = command.topic.owner
        await self.search(schema)
        if type(command) in BATCH_HANDLERS:
            (outcome,) = await BATCH_HANDLERS[type(command)]([Item(command, meta)], self.connection)
        else:
            outcome = await HANDLERS[type(command)](command, meta, self.connection)
        answers = outcome if isinstance(outcome, list) else [outcome]
        first = answers[0]
        status = (
            "refused"
            if isinstance(first, Refusal)
            else "unchanged"
            if isinstance(first, Unchanged)
            else "decided"
        )
        events = [(event, self.next_place(event)) for event in answers if isinstance(event, Message)]
        await self.connection.execute(
            *(DECIDE, meta.id, meta.actor, meta.type, status, getattr(first, "reason", None), meta.subject),
            *(
                meta.body_hash,
                len(events),
                offsets_of([place for _, place in events]),
                getattr(first, "after", None),
                meta.at,
            ),
        )
        return events

    async def _project(self, sent: Message) -> None:
        event = _as_read(sent)
        await self.search("read_picks")
        if isinstance(event, PickState):
            await picks.show(self.connection, [event])
            await self.search("read_things")
            await things.count(self.connection, [things.Edge.of(event)])
        elif isinstance(event, ThingAdded):
            await self.search("read_things")
            await things.show(self.connection, [event])
        elif isinstance(event, Reacted):
            await picks.react(self.connection, [event])
        elif isinstance(event, ReactionGone):
            await picks.unreact(self.connection, [event])
        elif isinstance(event, SessionState):
            await self.search("read_sessions")
            await sessions.show(self.connection, [event])
        elif isinstance(event, AccountState):
            await self.search("read_accounts")
            await accounts.show(self.connection, [event])
            await self.search("read_picks")
            await picks.introduce(self.connection, [event])


def _as_read(event: Message) -> Message:
    """As it comes back from its topic; the version travels beside the body."""
    version = {"version": getattr(event, "version", 1)}
    return type(event).model_validate(event.model_dump(mode="json") | version)


@asynccontextmanager
async def open_mesh(settings: Settings) -> AsyncIterator[Mesh]:
    """A mesh whose tables are written by hand only."""
    connection = await asyncpg.connect(settings.dsn("postgres"))
    try:
        yield Mesh(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def following(settings: Settings, mesh: Mesh) -> AsyncIterator[Mesh]:
    """Follow the command topics from now on."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, fetch_max_wait_ms=50)
    await consumer.start()
    topics = (PICK_COMMANDS, REACTION_COMMANDS, ACCOUNT_COMMANDS)
    places = [TopicPartition(topic.name, n) for topic in topics for n in range(topic.partitions)]
    consumer.assign(places)
    await consumer.seek_to_end(*places)
    task = asyncio.create_task(mesh.follow(consumer))
    try:
        yield mesh
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        await consumer.stop()
        assert isinstance(ended, asyncio.CancelledError), f"the mesh ended by {ended!r}"
