"""Every topic, declared once as data: what it is for, who writes it, who reads it, how long it keeps.

Broker settings, access rules, documentation and consumer wiring are made from this declaration
(`./pickly topics`, `docs/topics.md`, AsyncAPI).
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

PARTITIONS: Final = 12
MAX_BODY: Final = 256 * 1024
"""Bytes of a record's value: refused above it at the door, before COMMIT, and by every reader."""
TOMBSTONES_KEPT: Final = timedelta(days=7)
COMPACTED_WITHIN: Final = timedelta(days=1)
GONE_KEPT: Final = timedelta(days=31)
"""How long deciders and projections remember the last sequence of a key that is gone.

Longer than COMPACTED_WITHIN + TOMBSTONES_KEPT, so nobody who still may read the tombstone has forgotten it.
"""


class Kind(StrEnum):
    """What a topic holds, and so how the broker keeps it."""

    COMMAND = "command"  # wishes; deleted by age
    STATE = "state"  # the whole state after each fact; compacted, internal
    HISTORY = "history"  # what needs more than the last state; compacted by a finer key
    SIGNAL = "signal"  # telemetry; deleted by age
    PUBLIC = "public"  # what other teams subscribe to; compacted

    @property
    def compacted(self) -> bool:
        """Whether the newest record of a key is kept for ever."""
        return self in (Kind.STATE, Kind.HISTORY, Kind.PUBLIC)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    `owner` is the folder under `consumers/` whose deciders may write a state, history, signal or public
    topic, and for a command topic the one that decides it. `writers` may write a command topic.
    `readers` are consumer groups. `personal` says that records hold personal data.
    `expires` allows a position below the start of the log to jump (counted and shown). `sealed` says that
    its commands carry secrets, encrypted for their owner: nothing of them is kept elsewhere.
    """

    name: str
    kind: Kind
    owner: str
    purpose: str
    readers: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    partitions: int = PARTITIONS
    keep: timedelta | None = None
    personal: bool = True
    expires: bool = False
    sealed: bool = False

    def __post_init__(self) -> None:
        if "_" in self.name:
            raise ValueError(f"{self.name}: dots and underscores collide in Kafka's metric names; use dots")
        if self.kind.compacted == (self.keep is not None):
            raise ValueError(f"{self.name}: a compacted topic has no age, every other one needs it")
        if self.kind is not Kind.COMMAND and self.writers:
            raise ValueError(f"{self.name}: only its owner writes a {self.kind} topic")

    def may_be_written_by(self, folder: str) -> bool:
        """Whether deciders of `consumers/<folder>/` may put records here."""
        return folder in self.writers if self.kind is Kind.COMMAND else folder == self.owner


def command_topic(name: str, owner: str, purpose: str, *, writers: tuple[str, ...] = ()) -> Topic:
    """A command topic: three days, written by the gateway, the clock and the named groups."""
    return Topic(
        name,
        Kind.COMMAND,
        owner,
        purpose,
        readers=(owner,),
        writers=("gateway", "clock", *writers),
        keep=timedelta(days=3),
    )


def sealed_topic(name: str, owner: str, reader: str, purpose: str) -> Topic:
    """A command topic with secrets in it: a quarter of an hour, and no dead letters.

    Longer than the longest deadline of what lies on it.
    """
    return Topic(
        name,
        Kind.COMMAND,
        owner,
        purpose,
        readers=(reader,),
        writers=("gateway", "clock"),
        keep=timedelta(minutes=15),
        expires=True,
        sealed=True,
    )


PICK_COMMANDS: Final = command_topic("pick.commands", "curation", "What people want done with their picks.")
PICK_EVENTS: Final = Topic(
    "pick.events",
    Kind.STATE,
    "curation",
    "The state of every pick after each thing that happened to it.",
    readers=("social", "read_picks", "read_things"),
)
THING_EVENTS: Final = Topic(
    "thing.events",
    Kind.STATE,
    "curation",
    "The things that people pick: books, films, places, pages.",
    readers=("read_things",),
    personal=False,
)
REACTION_COMMANDS: Final = command_topic(
    "reaction.commands", "social", "Reactions that people give and take back."
)
REACTION_EVENTS: Final = Topic(
    "reaction.events",
    Kind.STATE,
    "social",
    "Who reacts how to which pick; key <pick>/<account>/<kind>.",
    readers=("read_picks",),
)

AUTH_COMMANDS: Final = sealed_topic(
    "auth.commands", "auth", "auth", "Sign-up, sign-in and every change of a credential, sealed."
)
AUTH_REFRESHES: Final = sealed_topic(
    "auth.refreshes", "auth", "auth_refresh", "Refresh tokens to be exchanged, sealed; apart from sign-ins."
)
ACCOUNT_COMMANDS: Final = command_topic(
    "account.commands", "auth", "What people want done with their account and sessions; no secrets."
)
ACCOUNT_EVENTS: Final = Topic(
    "account.events",
    Kind.STATE,
    "auth",
    "Accounts: handle, profile, roles, standing. No e-mail address, no credential.",
    readers=("read_accounts", "read_picks"),
)
SESSION_EVENTS: Final = Topic(
    "session.events",
    Kind.STATE,
    "auth",
    "Sessions of accounts: when and on what they began, were used and ended.",
    readers=("read_sessions",),
)
FACTOR_EVENTS: Final = Topic(
    "factor.events",
    Kind.STATE,
    "auth",
    "The second factors that an account has, by name and kind. No secret, no credential.",
    readers=("read_factors",),
)
ACCOUNT_SECURITY: Final = Topic(
    "account.security",
    Kind.HISTORY,
    "auth",
    "What was done to an account's sessions, credentials and roles; key <account>/<event>, a year.",
    readers=("read_accounts",),
)
KEY_EVENTS: Final = Topic(
    "key.events",
    Kind.STATE,
    "auth",
    "Public keys: what commands are sealed to, and what access tokens are verified with.",
    readers=("read_keys",),
    personal=False,
)

TOPICS: Final = {
    topic.name: topic
    for topic in (
        PICK_COMMANDS,
        PICK_EVENTS,
        THING_EVENTS,
        REACTION_COMMANDS,
        REACTION_EVENTS,
        AUTH_COMMANDS,
        AUTH_REFRESHES,
        ACCOUNT_COMMANDS,
        ACCOUNT_EVENTS,
        SESSION_EVENTS,
        FACTOR_EVENTS,
        ACCOUNT_SECURITY,
        KEY_EVENTS,
    )
}
