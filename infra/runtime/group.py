"""What a decider and a projection have in common: a name, topics, and a handler for every type on them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from uuid import UUID

from infra.runtime.handlers import Db, Function, Handler, MessageType
from infra.runtime.records import Decoded, Incoming
from schemas.message import Message
from schemas.topics import Topic


class Group(ABC):
    """A Kafka consumer group: one folder, one Postgres schema, one role.

    `name` is the Kafka group and the `group_name` of its rows, `schema` its Postgres schema and login role.
    `types` are those that have a handler, by name. `ignores` are types on its topics that it passes over on
    purpose; any other type pauses the partition with an alarm.
    """

    def __init__(
        self, name: str, *topics: Topic, schema: str | None = None, ignores: tuple[MessageType, ...] = ()
    ) -> None:
        self.name = name
        self.schema = schema or name
        self.topics: Mapping[str, Topic] = {topic.name: topic for topic in topics}
        self.handlers: dict[str, Handler] = {}
        self.types: dict[str, MessageType] = {}
        self.effects: dict[str, Function] = {}
        self.ignores = frozenset(kind.__name__ for kind in ignores)

    def register(self, handler: Handler) -> None:
        """Add a handler; raises TypeError when a type is not on a topic of this group, or has a handler."""
        for kind in handler.types:
            if issubclass(kind, Message) and kind.topic.name not in self.topics:
                raise TypeError(f"{self.name} does not read {kind.topic.name}, the topic of {kind.__name__}")
            if kind.__name__ in self.handlers:
                raise TypeError(f"{self.name} has two handlers for {kind.__name__}")
            self.handlers[kind.__name__] = handler
            self.types[kind.__name__] = kind

    @abstractmethod
    async def apply(self, db: Db, decoded: Sequence[Decoded]) -> None:
        """Write everything that the records lead to, inside the caller's fenced transaction."""

    @abstractmethod
    async def replay(self, db: Db, incoming: Incoming, *, known: bool) -> None:
        """Write what a dead letter's message leads to, in the caller's transaction, as if it came now.

        `known`: its id is in the inbox, where the letter put it.
        """

    @abstractmethod
    async def drop(self, db: Db, command_id: UUID) -> None:
        """Write what it means to its sender that the dead letter of a message is given up."""

    @property
    @abstractmethod
    def parks(self) -> bool:
        """Whether a dead letter holds up the later messages of its key."""

    def strict(self, topic: str) -> bool:
        """Whether offsets on `topic` have no holes: only gateway and clock write it, without transactions."""
        writers = self.topics[topic].writers
        return bool(writers) and set(writers) <= {"gateway", "clock"}
