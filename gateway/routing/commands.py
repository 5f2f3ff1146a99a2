"""Routes that ask for something: `@router.command("POST", "/v1/picks", may=...)` over a plain function.

The function turns body and caller into a command; it decides nothing and sends nothing.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import orjson
from fastapi import APIRouter, Security
from pydantic import ValidationError

from gateway import cookies
from gateway.admission import Caller, unauthorised
from gateway.answers import JSON, NO_STORE, Answer
from gateway.idempotency import Identity, identify
from gateway.problems import ProblemError
from gateway.resources import path_of
from gateway.routing import preconditions
from gateway.routing.declared import DeclaredRoute, adapter, bearer, declaration, function_name
from gateway.routing.documented import (
    OF_A_PICK,
    IfMatch,
    command_answers,
    command_headers,
    refusals_of,
)
from gateway.routing.incoming import Incoming
from gateway.routing.outcome import outcome, within
from gateway.routing.validation import broken_rules, json_announced, json_value, no_body
from gateway.shapes import Accepted
from producers.errors import NotSentError, OutcomeUnknownError, RecordTooLargeError, SenderFullError
from schemas.envelope import Meta
from schemas.message import Command

SOURCE: Final = "pickly/gateway"

ACCEPTED_ANYWAY: Final = frozenset({"busy", "unavailable"})
"""Waiting was not possible, but the broker has the command."""

Call = Annotated[Caller, Security(bearer)]
"""The parameter through which a command function learns who calls."""
Function = TypeVar("Function", bound=Callable[..., Command])


class CommandRoute(DeclaredRoute):
    """Checks, sends, answers: 202, or with `Prefer: wait` what became of it."""

    def __init__(self, path: str, endpoint: Callable[..., Command], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.if_match: IfMatch = (self.openapi_extra or {})["x-if-match"]
        self.signs_out: bool = (self.openapi_extra or {})["x-signs-out"]
        self.created: bool = 201 in self.responses
        self.body_name = self.body_field.name if self.body_field else None
        self.body_type = adapter(self.body_field.field_info) if self.body_field else None
        self.method = min(self.methods or {""})

    async def respond(self, incoming: Incoming) -> Answer:
        """Every step of a write, in order; raises ProblemError."""
        claims = await self.admit(incoming)
        if claims is None:
            raise unauthorised("A command needs an access token.")
        if self.body_type is not None:
            json_announced(incoming.headers)
        if_match = None if self.if_match == "ignored" else incoming.headers.get(b"if-match")
        expected = preconditions.version(if_match, needed=self.if_match == "needed")
        raw = await incoming.body()
        values = self.values(incoming)
        key = incoming.headers.get(b"idempotency-key")
        route = (self.method, self.path, *[str(values[name]) for name in self.param_convertors])
        identity = identify(claims.account, route, key, raw, if_match)
        command = self._command(values, raw, Caller(claims.account, identity.command_id, claims.session))
        await incoming.services.remembered.check(identity)
        incoming.added.append((b"pickly-command", str(identity.command_id).encode()))
        await send(incoming, command, _meta(command, claims.account, identity, expected))
        if self.signs_out:
            incoming.added += cookies.forgotten(incoming)
        return await self._answer(incoming, command, claims.account, identity)

    def _command(self, values: dict[str, object], raw: bytes, caller: Caller) -> Command:
        try:
            if self.body_type is None or self.body_name is None:
                no_body(raw)
            else:
                values[self.body_name] = json_value(raw, self.body_type)
            command: Command = self.endpoint(**values, **{self.caller_name: caller})
        except ValidationError as error:
            raise broken_rules(error) from None
        return command

    async def _answer(self, incoming: Incoming, command: Command, actor: UUID, identity: Identity) -> Answer:
        resource = path_of(command.about)
        seconds = preconditions.wait_seconds(incoming.headers.get(b"prefer"))
        if seconds is None:
            return accepted(identity, resource)
        incoming.added.append((b"preference-applied", f"wait={seconds:g}".encode()))
        try:
            evidence = await within(incoming.services.waiter, identity.command_id, seconds)
            shown = await outcome(evidence, identity, incoming.services.database, actor, created=self.created)
        except ProblemError as problem:
            if problem.slug not in ACCEPTED_ANYWAY:
                raise
            shown = None
        return shown or accepted(identity, resource)


async def send(incoming: Incoming, command: Command, meta: Meta) -> None:
    """Returns when the broker has acknowledged; raises ProblemError, after two seconds at the latest."""
    try:
        await incoming.services.sender.send(command, meta)
    except OutcomeUnknownError:
        raise ProblemError("outcome-unknown", _UNKNOWN) from None
    except SenderFullError:
        raise ProblemError("busy", "Too many commands wait to be accepted; try again soon.") from None
    except NotSentError:
        raise ProblemError("not-sent", "The broker does not answer; nothing was accepted.") from None
    except RecordTooLargeError as error:
        raise ProblemError("too-large", f"The command is too large: {error}.") from None


_UNKNOWN: Final = (
    "The broker has not confirmed the command in time. Repeat the request with the same Idempotency-Key: "
    "it takes effect once."
)


def accepted(identity: Identity, resource: str | None) -> Answer:
    """202: the broker has it; `Location` tells what becomes of it."""
    document = {"command_id": identity.command_id, "resource": resource, "status": "pending"}
    return Answer(202, orjson.dumps(document), [JSON, NO_STORE, (b"location", identity.path.encode())])


def _meta(command: Command, actor: UUID, identity: Identity, expected: int | None) -> Meta:
    return Meta(
        id=identity.command_id,
        type=type(command).__name__,
        at=datetime.now(UTC),
        subject=command.about,
        source=SOURCE,
        actor=actor,
        correlation=identity.command_id,
        expected_version=expected,
        body_hash=identity.body_hash,
    )


class CommandRouter(APIRouter):
    """Collects command routes."""

    def __init__(self, tag: str) -> None:
        super().__init__(route_class=CommandRoute, tags=[tag], generate_unique_id_function=function_name)

    def command(
        self,
        method: str,
        path: str,
        *,
        may: str,
        cost: int = 1,
        creates: bool = False,
        if_match: IfMatch = "ignored",
        shows: str = "Pick",
        refusals: Sequence[str] = OF_A_PICK,
        limit: str | None = None,
        dangerous: bool = False,
        signs_out: bool = False,
    ) -> Callable[[Function], Function]:
        """Declare a route: who `may` (gateway/permissions.py), its cost units, what it does with If-Match.

        `shows` is the schema of what it changes, `refusals` are its problems. `limit` names a stricter limit
        of its own (gateway/plans.py). `dangerous` asks for a factor used lately; `signs_out` makes a browser
        forget its cookie.
        """
        own: dict[str, object] = {"x-if-match": if_match, "x-dangerous": dangerous, "x-signs-out": signs_out}
        documented: Any = declaration(may, cost, limit, **own, **command_headers(if_match))
        refusals = refusals_of(may, refusals, dangerous=dangerous)
        return self.api_route(
            path,
            methods=[method],
            status_code=202,
            response_model=Accepted,
            response_description="The broker has the command; `Location` tells what becomes of it.",
            responses=command_answers(creates=creates, if_match=if_match, shows=shows, refusals=refusals),
            openapi_extra=documented,
        )
