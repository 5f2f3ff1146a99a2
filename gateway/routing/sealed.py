"""Routes with secrets: `@router.sealed("POST", "/v1/auth/sessions", ...)` over a function to what is sealed.

The function turns body and caller into a command's fields and its secret contents. The route seals them to
the decider's key, waits, and reads the answer, which only this request can.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from uuid_utils.compat import uuid7

from gateway import cookies
from gateway.answers import JSON, NO_STORE, Answer
from gateway.cookies import Delivery, Present, as_it_is
from gateway.plans import BY_IDENTIFIER
from gateway.problems import ProblemError, refused
from gateway.reads.database import Database
from gateway.routing import preconditions
from gateway.routing.commands import SOURCE, send
from gateway.routing.declared import DeclaredRoute, adapter, declaration, function_name
from gateway.routing.documented import refusals_of, sealed_answers, sealed_headers
from gateway.routing.incoming import Incoming
from gateway.routing.validation import broken_rules, json_announced, json_value, no_body
from gateway.routing.visitor import Visitor
from gateway.standing import FINAL, Decision, Evidence
from infra.sealing import REFUSED, binding, new_key, read_answer, seal
from schemas.envelope import Meta
from schemas.sealed import Box, Contents, SealedCommand

WAIT_SECONDS: Final = 5.0
MARGIN_SECONDS: Final = 1.0
"""What a decision may take beyond a command's deadline to be seen here."""
CHALLENGE: Final = "challenge"
"""Field of an answer that asks for more before anything is done or made."""
ANSWER: Final = "SELECT sealed_answer FROM mesh.decisions WHERE command_id = $1"

C = TypeVar("C", bound=SealedCommand)


@dataclass(frozen=True, slots=True)
class Sealing(Generic[C]):
    """A command that is to be sealed: its type, its secret contents, and its open fields.

    `identifier` is whom it is about, for routes that limit how often one may be tried. `delivery` is how a
    refresh token in the answer reaches its client.
    """

    command: type[C]
    contents: Contents
    open: dict[str, object] = field(default_factory=dict)
    identifier: str = ""
    delivery: Delivery = "body"


Function = TypeVar("Function", bound=Callable[..., Sealing[Any]])


class SealedRoute(DeclaredRoute):
    """Checks, seals, sends, waits, answers."""

    def __init__(self, path: str, endpoint: Callable[..., Sealing[Any]], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        extra = self.openapi_extra or {}
        self.hashes: bool = extra["x-hashes"]
        self.present: Present = as_it_is
        self.status: int = self.status_code or 200
        self.body_name = self.body_field.name if self.body_field else None
        self.body_type = adapter(self.body_field.field_info) if self.body_field else None

    async def respond(self, incoming: Incoming) -> Answer:
        """Every step; raises ProblemError. A browser forgets a refresh token that was refused."""
        try:
            return await self._respond(incoming)
        except ProblemError as problem:
            if problem.slug == "refresh-refused":
                incoming.added += cookies.forgotten(incoming)
            raise

    async def _respond(self, incoming: Incoming) -> Answer:
        claims = await self.admit(incoming)
        if b"idempotency-key" in incoming.headers:
            raise ProblemError("malformed", "This request takes no Idempotency-Key: it carries secrets.")
        if self.body_type is not None:
            json_announced(incoming.headers)
        raw = await incoming.body()
        visitor = Visitor(claims, uuid7(), incoming.scope["client_address"], incoming)
        sealing = self._sealing(self.values(incoming), raw, visitor)
        if self.limit in BY_IDENTIFIER:
            plan = incoming.services.plans[self.limit]
            incoming.added += await incoming.services.limiter.spend_identified(
                visitor.address, sealing.identifier.lower(), plan
            )
        async with self._permit(incoming):
            reply_key = new_key()
            command = _sealed(sealing, visitor, incoming, reply_key)
            await send(incoming, command, _meta(command, visitor))
            incoming.added.append((b"pickly-command", str(visitor.command_id).encode()))
            fields = await _answered(incoming, command, visitor.command_id, reply_key)
        shown = self.present(fields, sealing.delivery, incoming)
        status = 200 if CHALLENGE in fields else self.status
        return Answer(status, orjson.dumps(shown), [JSON, NO_STORE])

    def _sealing(self, values: dict[str, object], raw: bytes, visitor: Visitor) -> Sealing[Any]:
        try:
            if self.body_type is None or self.body_name is None:
                no_body(raw)
            else:
                values[self.body_name] = json_value(raw, self.body_type)
            sealing: Sealing[Any] = self.endpoint(**values, **{self.caller_name: visitor})
        except ValidationError as error:
            raise broken_rules(error) from None
        return sealing

    def _permit(self, incoming: Incoming) -> AbstractAsyncContextManager[object]:
        """Hashing a password is dear: beyond so many at once the rest is sent away."""
        if not self.hashes:
            return nullcontext()
        permits: asyncio.Semaphore = incoming.services.hashing
        if permits.locked():
            raise ProblemError("busy", "Too many people sign in at the moment; try again soon.")
        return permits


def _sealed(sealing: Sealing[C], visitor: Visitor, incoming: Incoming, reply_key: bytes) -> C:
    key = incoming.services.keys.sealing
    about = binding(sealing.command, visitor.command_id)
    text = seal(sealing.contents, reply_key, key.public, about)
    return sealing.command(**sealing.open, sealed=Box(key=key.key_id, text=text))


def _meta(command: SealedCommand, visitor: Visitor) -> Meta:
    return Meta(
        id=visitor.command_id,
        type=type(command).__name__,
        at=datetime.now(UTC),
        subject=command.about,
        source=SOURCE,
        actor=visitor.claims.account if visitor.claims else None,
        correlation=visitor.command_id,
    )


async def _answered(
    incoming: Incoming, command: SealedCommand, command_id: UUID, reply_key: bytes
) -> dict[str, object]:
    """The answer's fields; raises ProblemError for a refusal, and when there is none in time."""
    wanted = preconditions.wait_seconds(incoming.headers.get(b"prefer"))
    limit = command.deadline.total_seconds() + MARGIN_SECONDS
    seconds = min(limit, WAIT_SECONDS if wanted is None else wanted)

    def settled(evidence: Evidence) -> bool:
        return evidence.status(command_id) in FINAL

    evidence = await incoming.services.waiter.until(command_id, settled, seconds, patient=True)
    decision = evidence.decisions.get(command_id)
    if decision is None or not settled(evidence):
        slug = "expired" if seconds >= limit else "no-answer-yet"
        raise ProblemError(slug, "The request was not decided in time; it is safe to repeat it.")
    return await _opened(decision, reply_key, incoming.services.database)


async def _opened(decision: Decision, reply_key: bytes, database: Database) -> dict[str, object]:
    if decision.status in ("refused", "failed"):
        raise refused(decision.reason or "refused", None)
    row = await database.fetchrow(ANSWER, decision.command_id)
    sealed = row["sealed_answer"] if row else None
    if sealed is None:
        return {"status": "done"}
    fields = read_answer(reply_key, sealed)
    if REFUSED in fields:
        raise refused(str(fields[REFUSED]), None)
    return fields


class SealedRouter(APIRouter):
    """Collects sealed routes."""

    def __init__(self, tag: str) -> None:
        super().__init__(route_class=SealedRoute, tags=[tag], generate_unique_id_function=function_name)

    def sealed(
        self,
        method: str,
        path: str,
        *,
        may: str,
        shows: type[BaseModel],
        status: int = 200,
        cost: int = 5,
        limit: str | None = None,
        hashes: bool = False,
        refusals: tuple[str, ...] = (),
        asks: type[BaseModel] | None = None,
        dangerous: bool = False,
        present: Present = as_it_is,
    ) -> Callable[[Function], Function]:
        """Declare a route: who `may`, what it `shows` (`asks`: with 200, if it asks for more first), whether
        it `hashes` or is `dangerous`, how it may be refused and, see `Present`, presented."""
        refusals = refusals_of(may, refusals, dangerous=dangerous)
        extra = declaration(may, cost, limit, **{"x-hashes": hashes, "x-dangerous": dangerous})
        declare = self.api_route(
            path,
            methods=[method],
            status_code=status,
            response_model=shows,
            responses=sealed_answers(status, refusals, asks),
            openapi_extra=extra | sealed_headers(may),
        )

        def declared(function: Function) -> Function:
            declare(function)
            route = self.routes[-1]
            assert isinstance(route, SealedRoute)
            route.present = present
            return function

        return declared
