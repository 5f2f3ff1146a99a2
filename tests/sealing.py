"""A gateway's part of a sealed command, for tests of handlers: seal, ask, read the answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from consumers.auth.store import keys
from infra.runtime import Db, Outcome, Refusal, Reply
from infra.sealing import binding, new_key, read_answer, seal, unb64
from schemas.envelope import Meta
from schemas.message import Message
from schemas.sealed import Box, Contents, SealedCommand
from tests.given import NOON

C = TypeVar("C", bound=SealedCommand)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a handler made of a command; `answer` is what its sender reads, {} when there is none."""

    outcome: Outcome
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> str | None:
        """The reason, if it was refused."""
        return self.outcome.reason if isinstance(self.outcome, Refusal) else None

    def events(self) -> list[Message]:
        """What will be on a topic."""
        results = [self.outcome] if isinstance(self.outcome, Message) else self.outcome
        return [each for each in results if isinstance(each, Message)] if isinstance(results, list) else []


async def boxed(db: Db, kind: type[C], contents: Contents, asked: Meta, **fields: object) -> tuple[C, bytes]:
    """The command, its contents sealed to the newest key, and the key that opens its answer."""
    pair, reply_key = await keys.newest(db, "seal", NOON), new_key()
    assert pair is not None
    text = seal(contents, reply_key, unb64(pair.public), binding(kind, asked.id))
    return kind.model_validate({**fields, "sealed": Box(key=pair.key_id, text=text)}), reply_key


async def decide(
    db: Db,
    handler: Callable[..., Awaitable[Outcome]],
    prepare: Callable[..., Awaitable[Any]],
    command: SealedCommand,
    asked: Meta,
    reply_key: bytes,
) -> Decided:
    """Prepare and handle it, as the runtime does."""
    prepared = await prepare(command, asked, db)
    if isinstance(prepared, Refusal):
        return Decided(prepared)
    outcome = await handler(command, asked, db, prepared)
    results = outcome if isinstance(outcome, list) else [outcome]
    replies = [each for each in results if isinstance(each, Reply)]
    return Decided(outcome, read_answer(reply_key, replies[0].sealed) if replies else {})
