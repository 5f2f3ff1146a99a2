"""How fast real groups work off a backlog, against the bare loop of raw_loop.py over the same records.

The batch decider is `social` (React), the set-based projection `read_picks` (PickPublished), the decider with
single handlers `curation` (PublishPick). Each side runs in this process on uvloop; ours as it does in
production: fence, inbox, decisions, outbox, version guards, ready JSON. The bars were set beside a bare loop
of 15,000 to 18,000 messages a second, which is that over picks. A reaction is a third of a pick, and its bare
loop more than twice as fast, so `batched` has its bar beside pick commands and is also shown beside its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from consumers.curation.app import curation
from consumers.projections.picks.app import picks
from consumers.social.app import social
from infra.runtime.group import Group
from infra.settings import Settings
from schemas.message import Message
from schemas.picks import PickPublished, PublishPick
from schemas.reactions import React
from schemas.topics import PICK_COMMANDS, PICK_EVENTS, REACTION_COMMANDS
from tests.bench import backlog, made, raw_loop
from tests.bench.document import Bar, Row
from tests.bench.effort import Effort
from tests.bench.ground import platform
from tests.bench.raw_loop import Headers, Plan
from tests.bench.stopwatch import Figure

PICKS = 2_000
"""So many picks are reacted to."""


@dataclass(frozen=True)
class Backlog:
    """So many messages, who wants each, and the bare loop over them."""

    messages: int
    make: Callable[[int], Message]
    actor: Callable[[Message], UUID]
    plan: Plan

    async def put(self, config: Settings, effort: Effort) -> int:
        """Put them on their topic; how many it were."""
        made = map(self.make, range(effort.of(self.messages)))
        return await backlog.put(config, ((message, self.actor(message)) for message in made))


@dataclass(frozen=True)
class Match:
    """A group of ours against bare loops: over the same backlog, and over `other`, which then has the bar."""

    bench: str
    what: str
    group: Group
    backlog: Backlog
    bar: float
    other: Backlog | None = None

    async def __call__(self, config: Settings, effort: Effort) -> list[Row]:
        """A row for each loop: all sides in turn, each from the beginning of its backlog."""
        loops = [each for each in (self.backlog, self.other) if each is not None]
        theirs: list[list[Figure]] = [[] for _ in loops]
        ours: list[Figure] = []
        async with platform(config) as own:
            totals = [await each.put(own, effort) for each in loops]
            for _ in range(effort.repetitions):
                for loop, total, figures in zip(loops, totals, theirs, strict=True):
                    figures.append(await raw_loop.drain(own, loop.plan, total))
                ours.append(await backlog.work_off(own, self.group, totals[0]))
        bar = Bar(at_least=self.bar)
        return [
            self._row(ours, figures, loop, bar if loop is loops[-1] else None)
            for loop, figures in zip(loops, theirs, strict=True)
        ]

    def _row(self, ours: list[Figure], theirs: list[Figure], loop: Backlog, bar: Bar | None) -> Row:
        return Row.of(
            self.bench,
            self.what,
            f"bare loop over {loop.plan.topic.name}",
            "messages per second",
            [figure.rate for figure in ours],
            [figure.rate for figure in theirs],
            bar,
            **_cpu("ours", ours),
            **_cpu("theirs", theirs),
        )


def _cpu(side: str, figures: list[Figure]) -> dict[str, float]:
    """Microseconds for each message, the least of all repetitions."""
    return {
        f"{side} CPU us": min(figure.cpu for figure in figures),
        f"{side} PostgreSQL us": min(figure.postgres for figure in figures),
    }


def _body_of(kind: type[Message]) -> Callable[[bytes, Headers], Message]:
    return lambda body, _: kind.model_validate_json(body)


def _published(body: bytes, headers: Headers) -> Message:
    return PickPublished.read(body, int(headers["ce_sequence"]))


def _reaction(message: Message, headers: Headers) -> tuple[object, ...]:
    react = cast(React, message)
    return headers["ce_id"], react.pick_id, react.account_id, react.kind, headers["ce_time"]


def _pick(message: Message, headers: Headers) -> tuple[object, ...]:
    pick = cast(PickPublished | PublishPick, message)
    known = (headers["ce_id"], pick.pick_id, pick.author_id, pick.thing_id, pick.note, pick.rating)
    return *known, ",".join(pick.tags), pick.picked_at, headers["ce_time"]


PICK_TABLE = """
DROP TABLE IF EXISTS raw.pick;
CREATE TABLE raw.pick (key text NOT NULL, message_id uuid NOT NULL, pick_id uuid PRIMARY KEY,
    author_id uuid NOT NULL, thing_id uuid NOT NULL, note text NOT NULL, rating double precision,
    tags text NOT NULL, picked_at timestamptz, at timestamptz NOT NULL);
CREATE INDEX ON raw.pick (author_id, picked_at);
"""
PICK_INSERT = """
INSERT INTO pick SELECT key, id::uuid, pick, author, thing, note, rating, tags, picked, at::timestamptz
  FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::float8[],
              $8::text[], $9::timestamptz[], $10::text[])
       AS made (key, id, pick, author, thing, note, rating, tags, picked, at)
"""
REACTION_TABLE = """
DROP TABLE IF EXISTS raw.reaction;
CREATE TABLE raw.reaction (key text NOT NULL, message_id uuid NOT NULL, pick_id uuid NOT NULL,
    account_id uuid NOT NULL, kind text NOT NULL, at timestamptz NOT NULL,
    PRIMARY KEY (pick_id, account_id, kind));
CREATE INDEX ON raw.reaction (account_id);
"""
REACTION_INSERT = """
INSERT INTO reaction SELECT key, id::uuid, pick, account, kind, at::timestamptz
  FROM unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[])
       AS made (key, id, pick, account, kind, at)
"""

REACTIONS = Backlog(
    40_000,
    lambda number: made.react(number, PICKS),
    lambda message: cast(React, message).account_id,
    Plan(REACTION_COMMANDS, _body_of(React), REACTION_TABLE, REACTION_INSERT, _reaction),
)
EVENTS = Backlog(
    40_000,
    made.published,
    lambda message: cast(PickPublished, message).author_id,
    Plan(PICK_EVENTS, _published, PICK_TABLE, PICK_INSERT, _pick),
)
WISHES = Backlog(
    12_000,
    made.publish,
    lambda message: cast(PublishPick, message).author_id,
    Plan(PICK_COMMANDS, _body_of(PublishPick), PICK_TABLE, PICK_INSERT, _pick),
)
BATCHED = Match("batched", "batch decider: reactions, the group social", social, REACTIONS, 0.4, WISHES)
PROJECTED = Match("projected", "set-based projection: picks, the group read_picks", picks, EVENTS, 0.7)
SINGLE = Match("single", "single-handler decider: picks, the group curation", curation, WISHES, 0.1)
