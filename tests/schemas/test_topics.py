"""The declaration: names that Kafka keeps apart, writers and readers that exist, messages on each topic."""

import re
from datetime import timedelta

import pytest

from infra.ops.examples import catalogue
from infra.roles import DECIDERS, schemas
from schemas.message import Command, State, Tombstone
from schemas.topics import TOPICS, Kind, Topic

EVERY_TOPIC = pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
EVERY_TYPE = pytest.mark.parametrize("message", catalogue().values(), ids=catalogue())


@EVERY_TOPIC
def test_a_name_is_words_with_dots(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z]+)+", topic.name)
    assert topic.purpose.endswith(".") or ";" in topic.purpose


@EVERY_TOPIC
def test_readers_and_owners_are_groups_that_exist(topic: Topic) -> None:
    assert topic.owner in DECIDERS
    assert topic.readers
    assert set(topic.readers) <= {*schemas(), "auth_refresh"}


@EVERY_TOPIC
def test_only_commands_have_writers_beside_the_owner(topic: Topic) -> None:
    assert bool(topic.writers) == (topic.kind is Kind.COMMAND)
    assert set(topic.writers) <= {"gateway", "clock", *DECIDERS}


@EVERY_TOPIC
def test_the_owner_decides_its_commands_and_alone_writes_what_it_owns(topic: Topic) -> None:
    if topic.kind is Kind.COMMAND:
        assert topic.owner in topic.readers or topic.readers == ("auth_refresh",)
        assert topic.may_be_written_by("gateway")
        assert not topic.may_be_written_by(topic.owner)
    else:
        assert [folder for folder in (*DECIDERS, "gateway", "clock") if topic.may_be_written_by(folder)] == [
            topic.owner
        ]


@EVERY_TOPIC
def test_every_topic_has_messages(topic: Topic) -> None:
    assert [message for message in catalogue().values() if message.topic == topic]


@EVERY_TYPE
def test_a_message_is_on_a_topic_of_its_kind(message: type) -> None:
    assert message.topic in TOPICS.values()  # type: ignore[attr-defined] # every wire type has one
    if issubclass(message, Command):
        assert message.topic.kind is Kind.COMMAND
        assert set(message.done_when) <= set(schemas())
        assert message.author_field is None or message.author_field in message.model_fields
    else:
        assert issubclass(message, State | Tombstone)
        assert message.topic.kind.compacted
    assert set(message.key_fields) <= set(message.model_fields)


@EVERY_TYPE
def test_what_waits_for_a_projection_reaches_it(message: type) -> None:
    """`done` waits for positions on topics that the projection reads, and that the command's owner writes."""
    if not issubclass(message, Command):
        return
    owned = [
        topic for topic in TOPICS.values() if topic.owner == message.topic.owner and topic.kind.compacted
    ]
    for projection in message.done_when:
        assert any(projection in topic.readers for topic in owned)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "a_b"}, "use dots"),
        ({"name": "a.b", "kind": Kind.COMMAND}, "needs it"),
        ({"name": "a.b", "kind": Kind.STATE, "keep": timedelta(days=1)}, "has no age"),
        ({"name": "a.b", "kind": Kind.STATE, "writers": ("gateway",)}, "only its owner"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Topic(**({"kind": Kind.STATE, "owner": "a", "purpose": ""} | fields))  # type: ignore[arg-type] # by name
