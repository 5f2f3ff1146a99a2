"""Commands: what has become of one."""

from typing import Annotated
from uuid import UUID

import orjson
from fastapi import Query

from gateway.idempotency import SHOWN, reused
from gateway.reads.represent import Representation
from gateway.routing.outcome import described
from gateway.routing.reads import Look, ReadRouter
from gateway.shapes import CommandStatus
from gateway.standing import FINAL, Status

reads = ReadRouter("Commands")
BodyHash = Annotated[
    str | None,
    Query(pattern=f"^[0-9a-f]{{{SHOWN}}}$", description="From the `Location` of the command's answer."),
]


@reads.read("/v1/commands/{command_id}", reads=(), may="command.read", shows=CommandStatus)
async def show_command(command_id: UUID, look: Look, body: BodyHash = None) -> Representation:
    """What has become of your command; somebody else's is pending like one that nobody knows."""
    evidence = await look.services.waiter.look(command_id)
    decision = evidence.decisions.get(command_id)
    if decision is None or decision.actor != look.viewer:
        document: dict[str, object] = {"id": str(command_id), "type": None, "status": Status.PENDING}
        return Representation(orjson.dumps(document), headers=((b"retry-after", b"1"),))
    if body is not None and decision.body_hash is not None and not decision.body_hash.startswith(body):
        raise reused()
    status = evidence.status(command_id)
    waits = () if status in FINAL else ((b"retry-after", b"1"),)
    return Representation(orjson.dumps(described(decision, status)), headers=waits)
