"""Values that must be seen nowhere, and the ways in which they get in: over HTTP and straight onto topics."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import httpx
from aiokafka import AIOKafkaProducer

from infra.ops.examples import catalogue
from infra.partitions import partition_of
from schemas.envelope import Meta
from schemas.ids import account_id
from schemas.picks import PublishPick
from schemas.things import NewThing
from schemas.topics import PICK_COMMANDS, REACTION_EVENTS, TOPICS, Topic
from tests.journeys.conftest import Person

MARK: Final = "c4n4ry"
ESCAPE: Final = "\x1b[31m\r\nINJECTED"
Header = tuple[str, bytes]
Raw = tuple[Topic, int, bytes, bytes, list[Header]]
"""Topic, partition, key, value, headers."""


def canary(where: str) -> str:
    """A value that says where it was planted, and looks like an e-mail address."""
    return f"{MARK}.{where}@example.org"


def body(note: str, title: str = canary("title"), ref: str = "") -> dict[str, Any]:
    """A pick in which everything a person writes is a canary."""
    ref = ref or f"https://example.org/{canary('ref')}/{uuid4().hex}"
    thing = {"ref": ref, "kind": "page", "title": title}
    return {"thing": thing, "note": note, "tags": [f"{MARK} tag"]}


async def good_requests(someone: Person) -> httpx.Response:
    """Writes and reads that work; the answer to the first."""
    key = {"idempotency-key": canary("key"), "prefer": "wait=10", "user-agent": canary("agent")}
    made = await someone.http.post("/v1/picks", json=body(canary("note")), headers=key)
    assert made.status_code == 201, made.text
    pick = made.json()
    edit = {"note": canary("edited")}
    await someone.http.patch(f"/v1/picks/{pick['id']}", json=edit, headers={"if-match": made.headers["etag"]})
    await someone.http.put(f"/v1/picks/{pick['id']}/reactions/like", headers={"prefer": "wait=10"})
    await someone.http.get("/v1/things", params={"ref": pick["thing"]["ref"]})
    return made


async def bad_requests(someone: Person) -> None:
    """What the door refuses, with a canary in every part of a request."""
    http, note = someone.http, canary("bad.note")
    foul = {"authorization": f"Bearer {canary('token')}"}
    await http.post("/v1/picks", json=body(note), headers=foul)
    await http.post("/v1/picks", json=body(canary("reused")), headers={"idempotency-key": canary("key")})
    await http.post("/v1/picks", json={canary("field"): note, "note": 7})
    for content in (f'{{"note": "{note}", "note": "{note}"}}', f"{note}", f'{{"{ESCAPE}{note}": 1}}'):
        await http.post("/v1/picks", content=content.encode(), headers={"content-type": "application/json"})
    await http.post("/v1/picks", content=note, headers={"content-type": canary("type/x")})
    for header in ("if-match", "pickly-after", "prefer", "traceparent", "tracestate", "baggage", "cookie"):
        await http.get(f"/v1/picks/{uuid4()}", headers={header: canary(header)})
    for path in ("/v1/picks/", "/v1/accounts/", "/v1/commands/", "/nowhere/"):
        await http.get(path + quote(canary("path") + ESCAPE), params={"cursor": canary("query")})
    await http.get("/v1/feeds/latest", params={"cursor": canary("cursor")})
    await http.request(MARK.upper(), "/v1/feeds/latest")
    await _not_http(someone, f"GET /{canary('head')}{ESCAPE} HTTP/1.1\r\nHost: x\r\n{canary('h')}\r\n\r\n")
    await _not_http(someone, f"{canary('line')}\x1b[31m\r\n\r\n")


async def _not_http(someone: Person, text: str) -> None:
    address = urlsplit(str(someone.http.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(text.encode())
    await asyncio.wait_for(reader.read(), 30)
    writer.close()


def command(kind: str, key: str, **foul: str) -> list[Header]:
    """An envelope like the gateway's, some attributes of which hold canaries."""
    meta = Meta(
        uuid4(), kind, datetime.now(UTC), f"picks/{key}", source="pickly/gateway", actor=account_id("x")
    )
    return [(name, value.encode()) for name, value in (meta.headers() | foul).items()]


def poison() -> Iterator[Raw]:
    """Records that are no messages, on every topic, each with canaries wherever there is room."""
    text = canary("poison") + ESCAPE
    for topic in TOPICS.values():
        if topic.sealed:
            continue  # nothing of those is set aside
        known = next(name for name, kind in catalogue().items() if kind.topic is topic)
        key = str(uuid4())
        place = partition_of(key, topic)
        yield topic, place, text.encode(), text.encode(), [(canary("name"), text.encode())]
        yield topic, place, key.encode(), text.encode(), command(known, key)
        yield topic, place, key.encode(), json.dumps({canary("k"): text}).encode(), command(known, key)
        yield topic, place, key.encode(), b"\xff" + text.encode(), [("ce_type", b"\xff" + text.encode())]
        for name in ("ce_id", "ce_actor", "ce_cause", "ce_sequence", "ce_expectedversion"):
            yield topic, place, key.encode(), b"{}", command(known, key, **{name: text})
        foul = dict.fromkeys(("ce_subject", "ce_source", "ce_time", "ce_bodyhash", "traceparent"), text)
        yield topic, place, key.encode(), json.dumps({"note": text}).encode(), command(known, key, **foul)


def unknown() -> Raw:
    """A record of a type that is a canary: its partition stands still."""
    return REACTION_EVENTS, 0, b"k", b"{}", command(canary("kind"), "k")


def failing(pick_id: UUID, author: UUID) -> Raw:
    """A good command at which its handler fails, because the test made the database refuse its note."""
    thing = NewThing(ref=f"https://example.org/{uuid4().hex}", kind="page", title=canary("title"))
    made = PublishPick(
        pick_id=pick_id, author_id=author, thing_id=uuid4(), thing=thing, note=canary("refused")
    )
    headers = command("PublishPick", made.key, ce_actor=str(author))
    return PICK_COMMANDS, partition_of(made.key, PICK_COMMANDS), made.key.encode(), made.body(), headers


async def put(kafka: str, *records: Raw) -> None:
    """Onto their topics."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    await producer.start()
    try:
        for topic, partition, key, value, headers in records:
            await producer.send_and_wait(topic.name, value, key, partition=partition, headers=headers)
    finally:
        await producer.stop()
