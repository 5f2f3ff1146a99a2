"""`docs/topics.md`: which topics there are, what is on them, who writes and who reads."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from infra.ops.examples import catalogue
from infra.ops.topics import kept
from schemas.message import Command
from schemas.topics import COMPACTED_WITHIN, TOMBSTONES_KEPT, TOPICS, Kind, Topic

KINDS: Final = {
    Kind.COMMAND: "Wishes. Deleted by age; the gateway, the clock and the named groups write them.",
    Kind.STATE: (
        "The whole state of a key after each fact, so that the newest record of a key is its snapshot. "
        "Compacted. **Internal to Pickly**: other teams read public topics."
    ),
    Kind.HISTORY: "What needs more than the last state, under a finer key. Compacted, internal.",
    Kind.SIGNAL: "Telemetry. Deleted by age.",
    Kind.PUBLIC: "What other teams subscribe to: public state only. Compacted.",
}
HEAD: Final = """\
# Topics

Generated from `schemas/` by `python -m infra.ops.docs`; change it there. The same for machines is
[asyncapi.yaml](asyncapi.yaml), with every field, header and an example of each message. The clock, which
writes to every topic, is not drawn.
"""
EVERYWHERE: Final = f"""\
## On every topic

- A record is a CloudEvent 1.0 in Kafka's binary mode: headers `ce_id`, `ce_type` (the message's name),
  `ce_source`, `ce_time`, `ce_subject`, `ce_actor` (the account that asked), `ce_cause`, `ce_correlation`,
  `ce_dataschema` (type and version of the contract), `traceparent`; the value is JSON.
  Ignore fields and headers that you do not know.
- The partition follows from the part of the key before the first slash (murmur2), so that everything about
  one subject stays in order. The record's time is the broker's.
- On compacted topics `ce_sequence` is the version of the key. It only rises, also over a deletion: apply a
  record only when it is higher than what you have. A record without a value is a **tombstone**, and its
  headers still say what happened; it stays for at least {TOMBSTONES_KEPT.days} days.
  Older records of a key are gone about {COMPACTED_WITHIN // timedelta(hours=1)} hours after their writing.
- Two messages of the clock appear beside those named above, under the key `tick/<partition>` and without
  `ce_sequence`: **Tick** each minute on every partition of every command topic, **Heartbeat** every ten
  minutes on every partition of every compacted topic, so that quiet partitions are compacted too. Skip them:
  no state is theirs.
"""
COLUMNS: Final = (
    "topic", "what it is for", "written by", "read by", "key", "messages", "partitions", "kept",
    "personal data",
)  # fmt: skip


def topic_map() -> str:
    """The text of the file."""
    kinds = (kind for kind in Kind if any(topic.kind is kind for topic in TOPICS.values()))
    return "\n".join([HEAD, *_graph(), *(line for kind in kinds for line in _section(kind)), EVERYWHERE])


def _graph() -> Iterator[str]:
    yield from ("```mermaid", "flowchart LR")
    for topic in TOPICS.values():
        yield f'  {_node(topic.name)}[("{topic.name}")]'
    for topic in TOPICS.values():
        writers = (w for w in topic.writers if w != "clock") if topic.writers else (topic.owner,)
        yield from (f"  {writer} --> {_node(topic.name)}" for writer in writers)
        yield from (f"  {_node(topic.name)} --> {reader}" for reader in topic.readers)
    yield from ("```", "")


def _node(name: str) -> str:
    return name.replace(".", "_")


def _section(kind: Kind) -> Iterator[str]:
    yield from (f"## {kind.capitalize()} topics", "", KINDS[kind], "")
    yield from (_cells(COLUMNS), _cells(["---"] * len(COLUMNS)))
    yield from (_row(topic) for topic in TOPICS.values() if topic.kind is kind)
    yield from _messages(kind)


def _row(topic: Topic) -> str:
    messages = [message for message in catalogue().values() if message.topic == topic]
    keys = dict.fromkeys("/".join(message.key_fields) for message in messages)
    cells = (
        f"`{topic.name}`",
        topic.purpose,
        ", ".join(topic.writers or (topic.owner,)),
        ", ".join(topic.readers),
        ", ".join(f"`{key}`" for key in keys),
        ", ".join(message.__name__ for message in messages),
        str(topic.partitions),
        kept(topic),
        "yes" if topic.personal else "no",
    )
    return _cells(cells)


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(text.replace('<', '&lt;') for text in texts)} |"


def _messages(kind: Kind) -> Iterator[str]:
    columns = ["message", "topic", "meaning", *(["done when shown by"] if kind is Kind.COMMAND else [])]
    yield from ("", _cells(columns), _cells(["---"] * len(columns)))
    for name, message in catalogue().items():
        if message.topic.kind is kind:
            cells = [f"`{name}`", f"`{message.topic.name}`", " ".join((message.__doc__ or "").split())]
            shown = [", ".join(message.done_when)] if issubclass(message, Command) else []
            yield _cells(cells + shown)
    yield ""
