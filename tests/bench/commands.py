"""Commands accepted per CPU second: our gateway against Fastify + kafkajs, which do the same job.

POST /v1/picks with a token, 32 clients, each with one request on its way; 202 after acks=all. CPU is that of
the server's process. After every round the topic must have grown by the number of 202s.
"""

import itertools
from collections.abc import Iterator

import orjson

from infra.settings import Settings
from schemas.topics import PICK_COMMANDS
from tests.bench.contest import Audit, Score, Server, contest, peer, until_ready
from tests.bench.document import Bar, Row
from tests.bench.effort import Effort
from tests.bench.ground import bearers, platform, processes
from tests.bench.http import connect, request
from tests.producers.reading import ends, read

NAME = "commands"
ACCOUNTS = 200
OURS, EACH, BATCHED = "gateway", "Fastify + kafkajs, a send per request", "Fastify + kafkajs, with a batcher"
UNIT = "commands per CPU second"
SAME = {"ce_specversion", "ce_type", "ce_source", "ce_subject", "ce_dataschema", "content-type", "ce_actor"}


async def commands(config: Settings, effort: Effort) -> list[Row]:
    """Two rows: against a send per request, and, reported, against a batcher."""
    async with platform(config) as own:
        with processes(own) as stack, peer("commands.js", SENDER="each") as each:
            with peer("commands.js", SENDER="batched") as batched:
                stack.start("gateway")
                gateway = Server(stack.ports["gateway"], stack.processes["gateway"].pid)
                servers = {OURS: gateway, EACH: each, BATCHED: batched}
                requests = _requests(bearers(own, ACCOUNTS))
                for server in servers.values():
                    await until_ready(server)
                await _same_job(own, servers, next(requests))
                scores = await contest(servers, requests, 202, await _growth(own), effort)
    return [
        _row(scores[OURS], scores[EACH], EACH, Bar(at_least=1.5)),
        _row(scores[OURS], scores[BATCHED], BATCHED, None),
    ]


def _requests(tokens: list[str]) -> Iterator[bytes]:
    """Each publishes a pick that nobody has published."""
    for number in itertools.count():
        body = {
            "thing": {"ref": f"movielens:{number}", "kind": "film", "title": "The Dispossessed (1974)"},
            "note": "Two worlds, and a wall between them.",
            "rating": 4.5,
            "tags": ["science fiction"],
        }
        token = tokens[number % len(tokens)]
        yield request("POST", "/v1/picks", orjson.dumps(body), authorization=f"Bearer {token}")


async def _same_job(own: Settings, servers: dict[str, Server], one: bytes) -> None:
    """Raise unless all make the same record of a request, and refuse the same."""
    records = []
    for name, server in servers.items():
        before = await ends(own, PICK_COMMANDS)
        connection = await connect(server.port)
        answer = await connection.ask(one)
        refused = await connection.ask(one.replace(b'"rating":4.5', b'"rating":"5"'))
        forged = await connection.ask(one.replace(b"Bearer e", b"Bearer f"))
        connection.close()
        (record,) = await read(own, PICK_COMMANDS, before)
        if (answer.status, refused.status // 100, forged.status) != (202, 4, 401):
            raise RuntimeError(f"{name} answered {answer.status}, {refused.status}, {forged.status}")
        headers = {header: value for header, value in record.headers if header in SAME}
        names = sorted(header for header, _ in record.headers)
        records.append((name, (record.key, record.partition, orjson.loads(record.value), headers, names)))
    for name, record in records[1:]:
        if record != records[0][1]:
            raise RuntimeError(f"{name} sends something else: {record}, not {records[0][1]}")


async def _growth(own: Settings) -> Audit:
    """An audit of the topic's ends."""
    known = sum((await ends(own, PICK_COMMANDS)).values())

    async def audit(name: str, accepted: int) -> None:
        nonlocal known
        now = sum((await ends(own, PICK_COMMANDS)).values())
        if now - known != accepted:
            raise RuntimeError(f"{name} accepted {accepted} commands, and the topic grew by {now - known}")
        known = now

    return audit


def _row(ours: Score, theirs: Score, against: str, bar: Bar | None) -> Row:
    return Row.of(
        NAME,
        "commands accepted, acks=all, 202",
        against,
        UNIT,
        ours.per_cpu_second,
        theirs.per_cpu_second,
        bar,
        **details(ours, theirs),
    )


def details(ours: Score, theirs: Score) -> dict[str, float]:
    """Rates and latencies of the best rounds; they depend on what else the machine does."""
    return {
        f"{side} {name}": max(values) if name == "per second" else min(values)
        for side, score in (("ours", ours), ("theirs", theirs))
        for name, values in (("per second", score.per_second), ("p50 ms", score.p50), ("p99 ms", score.p99))
    }
