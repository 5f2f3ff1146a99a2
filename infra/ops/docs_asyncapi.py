"""`docs/asyncapi.yaml`: the topics as an AsyncAPI 3.0 document, with JSON schemas and examples."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic.json_schema import models_json_schema

from infra.ops.examples import Example, catalogue, examples
from infra.ops.topic_plan import broker_settings
from schemas.message import Heartbeat, Message, Tick, Tombstone
from schemas.topics import TOPICS, Topic

Node: TypeAlias = dict[str, Any]
"""A part of the document: what YAML can say."""
BINDING: Final = {"bindingVersion": "0.5.0"}
PYPROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"
DESCRIPTION: Final = """\
Everything that travels on Pickly's Kafka topics. Records are CloudEvents 1.0 in binary mode; values are JSON.

State topics are internal to Pickly: they may change at any release, and access rules keep others out.
Public topics are for everybody.

Beside the messages of a channel the clock's appear, with the key `tick/<partition>`: Tick on command topics,
Heartbeat on compacted ones. Consumers skip them, and ignore fields and headers that they do not know.
"""
CLOCK: Final = {
    Tick.__name__: "A minute has passed. On every partition of every command topic; skip it.",
    Heartbeat.__name__: "Keeps a quiet partition moving, so that it is compacted. Skip it.",
}
UUID: Final = {"type": "string", "format": "uuid"}
HEADERS: Final[Node] = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes and extensions as Kafka headers, and W3C Trace Context.",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {**UUID, "description": "Of the message; the same when it is delivered again."},
        "ce_type": {"type": "string", "description": "The message's name."},
        "ce_source": {"type": "string", "description": "Which part of Pickly made it."},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "When its command was asked for.",
        },
        "ce_subject": {"type": "string", "description": "What it is about: picks/<id>."},
        "ce_dataschema": {
            "type": "string",
            "format": "uri",
            "description": "urn:pickly:<type>:<version of the contract it was written with>.",
        },
        "ce_actor": {**UUID, "description": "The account that asked; absent for the system."},
        "ce_cause": {**UUID, "description": "The message that led to this one."},
        "ce_correlation": {**UUID, "description": "The first message of the chain."},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "The version of the key; it only rises. Apply only a higher one than you have.",
        },
        "ce_expectedversion": {"type": "string", "pattern": "^[0-9]+$", "description": "From If-Match."},
        "ce_bodyhash": {"type": "string", "description": "SHA-256 of the request behind an Idempotency-Key."},
        "traceparent": {"type": "string", "description": "W3C Trace Context."},
        "content-type": {"const": "application/json"},
    },
}


def asyncapi() -> Node:
    """The whole document, in the order in which a person reads it."""
    version = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["version"]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Pickly's topics",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": {name: op for topic in TOPICS.values() for name, op in _operations(topic).items()},
        "components": {"messages": _messages(), "schemas": {"CloudEvent": HEADERS, **_schemas()}},
    }


def _server() -> Node:
    return {
        "host": "{host}:{port}",
        "protocol": "kafka",
        "description": "An Apache Kafka broker; `./pickly status` shows the local one's address.",
        "variables": {"host": {"default": "localhost"}, "port": {"default": "9092"}},
    }


def _ref(*path: str) -> Node:
    return {"$ref": "#/" + "/".join(path)}


def _clock_type(topic: Topic) -> str:
    return Heartbeat.__name__ if topic.kind.compacted else Tick.__name__


def _types(topic: Topic) -> list[str]:
    return [name for name, message in catalogue().items() if message.topic == topic]


def _channel(topic: Topic) -> Node:
    settings = broker_settings(topic)
    numbers = ("retention.ms", "delete.retention.ms", "max.message.bytes")
    return {
        "address": topic.name,
        "title": topic.name,
        "summary": topic.purpose,
        "servers": [_ref("servers", "kafka")],
        "messages": {n: _ref("components", "messages", n) for n in (*_types(topic), _clock_type(topic))},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [settings["cleanup.policy"]],
                    **{name: int(settings[name]) for name in numbers if name in settings},
                },
                **BINDING,
            }
        },
        "x-pickly": {"kind": str(topic.kind), "owner": topic.owner, "personal-data": topic.personal},
    }


def _operations(topic: Topic) -> Node:
    """One for each writer and reader: `curation.send.pick.events`, `social.receive.pick.events`."""
    own, clock = _types(topic), [_clock_type(topic)]
    writers = {**dict.fromkeys(topic.writers or (topic.owner,), own), "clock": clock}
    readers = dict.fromkeys(topic.readers, own + clock)
    return {
        **{f"{who}.send.{topic.name}": _operation("send", topic, names) for who, names in writers.items()},
        **{
            f"{group}.receive.{topic.name}": {
                **_operation("receive", topic, names),
                "bindings": {"kafka": {"groupId": {"type": "string", "enum": [group]}, **BINDING}},
            }
            for group, names in readers.items()
        },
    }


def _operation(action: str, topic: Topic, names: Iterable[str]) -> Node:
    return {
        "action": action,
        "channel": _ref("channels", topic.name),
        "messages": [_ref("channels", topic.name, "messages", name) for name in names],
    }


def _messages() -> Node:
    on_disk = examples()
    own = {name: _message(message, on_disk[name]) for name, message in catalogue().items()}
    return own | {name: _clock_message(name, summary) for name, summary in CLOCK.items()}


def _message(message: type[Message], example: Example) -> Node:
    name, gone = message.__name__, issubclass(message, Tombstone)
    versioned = message.topic.kind.compacted
    return {
        "name": name,
        "title": re.sub(r"(?<!^)(?=[A-Z])", " ", name).capitalize(),
        "summary": " ".join((message.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": _headers(name, ["ce_sequence"] if versioned else ["ce_correlation"]),
        "payload": {"type": "null", "description": "A tombstone."}
        if gone
        else _ref("components", "schemas", name),
        "correlationId": {"location": "$message.header#/ce_correlation"},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": "/".join(message.key_fields)}, **BINDING}
        },
        "examples": [{"name": name, "headers": dict(example.headers), "payload": example.body}],
    }


def _clock_message(name: str, summary: str) -> Node:
    return {
        "name": name,
        "title": name,
        "summary": summary,
        "contentType": "application/json",
        "headers": _headers(name, []),
        "payload": {"description": "Nothing that matters to anybody else."},
        "bindings": {"kafka": {"key": {"type": "string", "pattern": "^tick/[0-9]+$"}, **BINDING}},
    }


def _headers(name: str, required: list[str]) -> Node:
    own: Node = {"properties": {"ce_type": {"const": name}}} | ({"required": required} if required else {})
    return {"type": "object", "allOf": [_ref("components", "schemas", "CloudEvent"), own]}


def _schemas() -> Node:
    """The JSON schema of every body, and of what bodies share."""
    bodies = [(m, "serialization") for m in catalogue().values() if not issubclass(m, Tombstone)]
    _, definitions = models_json_schema(bodies, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type] # mode is a Literal
    return dict(definitions["$defs"])
