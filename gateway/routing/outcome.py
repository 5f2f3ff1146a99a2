"""What became of a command, as the answer to the request that asked for it."""

from datetime import UTC
from uuid import UUID

import orjson

from gateway.answers import JSON, NO_STORE, Answer
from gateway.idempotency import Identity
from gateway.problems import ProblemError, refused
from gateway.reads.database import Database
from gateway.resources import path_of, resource_of
from gateway.standing import FINAL, Decision, Evidence, Status
from gateway.waiting import Waiter


async def within(waiter: Waiter, command_id: UUID, seconds: float) -> Evidence:
    """What is known when the command is through, or will not be soon, or the time is over."""

    def settled(evidence: Evidence) -> bool:
        return evidence.status(command_id) in FINAL | {Status.DELAYED}

    return await waiter.until(command_id, settled, seconds, patient=True)


async def outcome(
    evidence: Evidence, identity: Identity, database: Database, actor: UUID, *, created: bool
) -> Answer | None:
    """200 or 201 with the resource, None while pending or delayed.

    Raises ProblemError for a refusal, a failure, or a key that was used with another body.
    """
    decision = evidence.decisions.get(identity.command_id)
    if decision is None:
        return None
    identity.check(decision.body_hash)
    status = evidence.status(identity.command_id)
    if status is Status.REFUSED:
        raise refused(decision.reason or "refused", path_of(decision.resource))
    if status is Status.FAILED:
        raise ProblemError(
            "command-failed", f"The command was given up: {decision.reason or 'no reason given'}."
        )
    return await _done(decision, database, actor, created=created) if status is Status.DONE else None


async def _done(decision: Decision, database: Database, actor: UUID, *, created: bool) -> Answer:
    resource = resource_of(decision.resource)
    shown = None if resource is None else await resource.read(database, actor)
    if resource is None or shown is None:
        body = orjson.dumps(described(decision, Status.DONE))
        return Answer(200, body, [JSON, NO_STORE])
    answer = shown.answer(status=201 if created else 200, keep=False)
    name = b"location" if created else b"content-location"
    answer.headers.append((name, resource.path.encode()))
    return answer


def described(decision: Decision, status: Status) -> dict[str, object]:
    """The command's status as `GET /v1/commands/{id}` shows it."""
    document: dict[str, object] = {"id": str(decision.command_id), "type": decision.type, "status": status}
    if status in (Status.REFUSED, Status.FAILED) and decision.reason is not None:
        document["reason"] = decision.reason
    document["resource"] = path_of(decision.resource)
    document["decided_at"] = decision.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return document
