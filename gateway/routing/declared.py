"""What command and read routes share: typed values, who may call, and refusing what would never run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from starlette.types import Receive, Scope, Send

from gateway.admission import recently_proven, unauthorised
from gateway.answers import Answer
from gateway.limits import of_account, of_address
from gateway.permissions import Permission, demand, permission
from gateway.plans import BY_ADDRESS, ROUTE_PLANS
from gateway.problems import FieldError, ProblemError
from gateway.routing.incoming import Incoming
from gateway.routing.validation import broken_rules
from infra.tokens import Claims

bearer: Final = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="An ES256 access token of type at+jwt, valid for ten minutes.",
    auto_error=False,
)
"""Documents the scheme; it is `admit` that checks."""
MOST_PARAMETERS: Final = 20


class Values:
    """The typed values of one kind of parameter of a route."""

    def __init__(self, fields: Iterable[Any]) -> None:
        self._adapters = {field.alias: (field.name, adapter(field.field_info)) for field in fields}
        self._defaults = {f.name: f.field_info.default for f in fields if not f.field_info.is_required()}
        self._needed = [field.alias for field in fields if field.field_info.is_required()]

    def read(self, texts: Mapping[str, str]) -> dict[str, object]:
        """Validate; raises ProblemError (422) that names the parameter."""
        if not texts and not self._needed:
            return dict(self._defaults)
        if unknown := texts.keys() - self._adapters.keys():
            raise _parameter(min(unknown)[:100], "unknown_field", "is not a parameter of this route")
        for alias in self._needed:
            if alias not in texts:
                raise _parameter(alias, "required", "is missing")
        values = dict(self._defaults)
        for alias, text in texts.items():
            name, typed = self._adapters[alias]
            try:
                values[name] = typed.validate_python(text)
            except ValidationError as error:
                raise broken_rules(error, within=alias) from None
        return values


class DeclaredRoute(APIRoute):
    """A route that FastAPI describes and that runs at ASGI level, past FastAPI's dependencies.

    `may`, `cost` and `limit` come from the declaration, see `declaration`.
    """

    may: str
    permission: Permission
    cost: int
    limit: str | None

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        extra = self.openapi_extra or {}
        self.may, self.cost = extra["x-may"], extra["x-cost"]
        self.limit = extra.get("x-limit")
        if self.limit is not None and self.limit not in ROUTE_PLANS:
            raise TypeError(f"{path}: no limit {self.limit}; there are {', '.join(sorted(ROUTE_PLANS))}")
        self.permission = permission(self.may)
        self.dangerous: bool = extra.get("x-dangerous", False)
        if self.dangerous and self.permission.anonymous:
            raise TypeError(f"{path} is dangerous, so nobody anonymous may call it")
        named = [d for d in self.dependant.dependencies if d.call is bearer and d.name]
        others = len(self.dependant.dependencies) - len(named)
        if len(named) != 1 or others or self.dependant.header_params or self.dependant.cookie_params:
            raise TypeError(
                f"{path}: FastAPI would describe dependencies that never run; take the caller only"
            )
        self.caller_name: str = str(named[0].name)
        self.path_values = Values(self.dependant.path_params)
        self.query_values = Values(self.dependant.query_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route. Routers call this for partial matches too, so the method is checked here."""
        if not self.takes(scope["method"]):
            await super().handle(scope, receive, send)
            return
        scope["template"] = self.path
        incoming = Incoming(scope, receive)
        try:
            answer = await self.respond(incoming)
        except ProblemError as problem:
            answer = problem.answer()
        answer.headers += incoming.added
        await answer.send(send, head=scope["method"] == "HEAD")

    def takes(self, method: str) -> bool:
        """Whether this route answers the method."""
        return self.methods is not None and method in self.methods

    async def respond(self, incoming: Incoming) -> Answer:
        """The answer of this kind of route; raises ProblemError."""
        raise NotImplementedError

    async def admit(self, incoming: Incoming) -> Claims | None:
        """Check token, permission and limits; raises ProblemError. A bad token costs its address as much."""
        incoming.merge_headers()
        try:
            claims = incoming.services.tokens.claims(incoming.headers.get(b"authorization"))
            if claims is None and not self.permission.anonymous:
                raise unauthorised("Send an access token: `Authorization: Bearer <token>`.")
        except ProblemError:
            await self._spend(incoming, None)
            raise
        await self._spend(incoming, claims)
        if claims is not None:
            demand(self.may, claims)
        if claims is not None and self.dangerous:
            incoming.services.ended.must_be_fresh()
            recently_proven(claims)
        return claims

    async def _spend(self, incoming: Incoming, claims: Claims | None) -> None:
        plans, address = incoming.services.plans, incoming.scope["client_address"]
        charges = [of_address(plans["address"], address, self.cost)]
        if claims is not None:
            charges.insert(0, of_account(plans["account"], claims.account, self.cost))
        if self.limit in BY_ADDRESS:
            charges.insert(0, of_address(plans[self.limit], address, 1))
        incoming.added += await incoming.services.limiter.spend(charges)

    def values(self, incoming: Incoming) -> dict[str, object]:
        """The typed values of path and query; raises ProblemError (422)."""
        return self.path_values.read(incoming.scope["path_params"]) | self.query_values.read(_query(incoming))


def declaration(may: str, cost: int, limit: str | None = None, /, **documented: object) -> dict[str, object]:
    """`openapi_extra` of a declared route: what it needs and costs, and headers that it reads.

    `limit` is the plan of its own (gateway/plans.py) that it spends from beside those of account and address.
    """
    own = {} if limit is None else {"x-limit": limit}
    return {"x-may": may, "x-cost": cost, **own, **documented}


def function_name(route: APIRoute) -> str:
    """The operation's id in OpenAPI, and so the name of a generated client's method."""
    return route.name


def _query(incoming: Incoming) -> dict[str, str]:
    raw: bytes = incoming.scope.get("query_string", b"")
    if not raw:
        return {}
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict"
        )
    except ValueError:
        raise ProblemError("malformed", "The query string cannot be read.") from None
    texts = dict(pairs)
    if len(texts) < len(pairs):
        raise ProblemError("malformed", "A query parameter may come once only.")
    return texts


def adapter(field: FieldInfo) -> TypeAdapter[object]:
    """What validates the values of a parameter or body."""
    annotated: Any = Annotated[(field.annotation, Field(), *field.metadata)]
    return TypeAdapter(annotated)


def _parameter(name: str, rule: str, detail: str) -> ProblemError:
    return ProblemError("invalid", f"{name}: {detail}.", errors=[FieldError(name, rule, detail)])
