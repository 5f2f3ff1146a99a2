"""Routes that show something: `@router.read("/v1/picks/{pick_id}", reads=(...))` over an async function.

`reads` names the projections that the route shows; `Pickly-After` waits for exactly those.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import APIRouter, Security
from pydantic import BaseModel

from gateway.answers import Answer
from gateway.problems import ProblemError, invalid
from gateway.reads.cache import PageCache
from gateway.reads.represent import Representation
from gateway.routing.declared import DeclaredRoute, bearer, declaration, function_name
from gateway.routing.documented import read_answers, read_headers, refusals_of
from gateway.routing.incoming import Incoming
from gateway.services import Services
from gateway.standing import Evidence, Sight
from infra.roles import PROJECTIONS


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks (None: anybody), and what there is to look at; `pages` is None when all must be read anew.

    `session` is the one whose token came with the request.
    """

    viewer: UUID | None
    services: Services
    pages: PageCache | None
    session: str | None = None

    @property
    def account_id(self) -> UUID:
        """The account that looks; only for routes that nobody anonymous may call."""
        assert self.viewer is not None
        return self.viewer


Look = Annotated[Reader, Security(bearer)]
"""The parameter through which a read function learns who looks."""
Function = TypeVar("Function", bound=Callable[..., Awaitable[Representation]])
NO_BODY: Final = frozenset({b"", b"0"})


class ReadRoute(DeclaredRoute):
    """Waits for `Pickly-After` if asked to, reads, and answers with entity tags."""

    def __init__(self, path: str, endpoint: Callable[..., Awaitable[Representation]], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.reads: tuple[str, ...] = tuple((self.openapi_extra or {})["x-reads"])
        if unknown := set(self.reads) - set(PROJECTIONS):
            raise TypeError(f"{path} reads {', '.join(sorted(unknown))}, which no topic has as a reader")

    def takes(self, method: str) -> bool:
        """HEAD is answered like GET, without the body."""
        return method == "HEAD" or super().takes(method)

    async def respond(self, incoming: Incoming) -> Answer:
        """Every step of a read, in order; raises ProblemError."""
        claims = await self.admit(incoming)
        viewer = None if claims is None else claims.account
        values = self.values(incoming)
        after = incoming.headers.get(b"pickly-after") if self.reads else None
        if after is not None:
            await self._wait(incoming.services, after)
        pages = incoming.services.pages if after is None else None
        session = None if claims is None else claims.session
        reader = Reader(viewer, incoming.services, pages, session)
        shown: Representation = await self.endpoint(**values, **{self.caller_name: reader})
        if_none_match = incoming.headers.get(b"if-none-match")
        if if_none_match is not None and shown.matches(if_none_match):
            return shown.not_modified(private=viewer is not None)
        return shown.answer(private=viewer is not None, keep=after is None)

    async def _wait(self, services: Services, after: bytes) -> None:
        """Returns when this route's read models show the command; raises ProblemError (503) when not soon."""
        try:
            command_id = UUID(after.decode("ascii"))
        except ValueError:
            raise invalid("Pickly-After", "format", "must be the id of a command") from None

        def through(evidence: Evidence) -> bool:
            return self._sight(evidence, command_id) is not Sight.COMING

        seconds = services.limits.see_seconds
        evidence = await services.waiter.until(command_id, through, seconds, patient=False)
        if self._sight(evidence, command_id) is not Sight.PASSED:
            raise ProblemError("not-yet-visible", "The command of Pickly-After is not visible here yet.")

    def _sight(self, evidence: Evidence, command_id: UUID) -> Sight:
        decision = evidence.decisions.get(command_id)
        return Sight.COMING if decision is None else evidence.shown(decision, self.reads)


class ReadRouter(APIRouter):
    """Collects read routes."""

    def __init__(self, tag: str) -> None:
        super().__init__(route_class=ReadRoute, tags=[tag], generate_unique_id_function=function_name)

    def read(
        self,
        path: str,
        *,
        reads: Sequence[str],
        may: str,
        shows: type[BaseModel],
        cost: int = 1,
        refusals: Sequence[str] = (),
        dangerous: bool = False,
    ) -> Callable[[Function], Function]:
        """Declare a route. `shows` documents the body, `refusals` its problems.

        `dangerous` asks for a factor used lately.
        """
        own: dict[str, object] = {"x-reads": list(reads), "x-dangerous": dangerous}
        documented: Any = declaration(may, cost, **own, **read_headers(reads, may))
        return self.api_route(
            path,
            methods=["GET"],
            response_model=shows,
            responses=read_answers(
                waits=bool(reads), refusals=refusals_of(may, refusals, dangerous=dangerous)
            ),
            openapi_extra=documented,
        )
