"""The table in front of all routes: constant cost, whatever their number; and 404, 405, OPTIONS."""

from collections.abc import Iterable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answers import Answer
from gateway.problems import ProblemError
from gateway.routing.declared import DeclaredRoute
from gateway.services import Services


class Table:
    """Finds the route by the number of path segments and the second one; pages have one exact path each."""

    def __init__(
        self, routes: Iterable[DeclaredRoute], pages: Mapping[str, ASGIApp], services: Services
    ) -> None:
        self._services = services
        self._pages = pages
        self._routes: dict[tuple[int, str], list[DeclaredRoute]] = {}
        for route in routes:
            parts = route.path.split("/")
            if len(parts) < 3 or "{" in parts[2]:
                raise TypeError(f"{route.path}: a path begins with two fixed segments, as in /v1/picks")
            self._routes.setdefault((len(parts), parts[2]), []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route, or answer 404, 405, or an OPTIONS request."""
        path, method = scope["path"], scope["method"]
        allowed: set[str] = set()
        parts = path.split("/", 9)
        for route in self._routes.get((len(parts), parts[2] if len(parts) > 2 else ""), ()):
            found = route.path_regex.match(path)
            if found is None:
                continue
            if route.takes(method):
                scope["path_params"] = found.groupdict()
                scope["services"] = self._services
                await route.handle(scope, receive, send)
                return
            allowed |= (route.methods or set()) | ({"HEAD"} if route.takes("HEAD") else set())
        if path in self._pages:
            allowed = {"GET", "HEAD"}
            if method in allowed:
                scope["template"] = path
                await self._pages[path](scope, receive, send)
                return
        await _otherwise(method, allowed).send(send, head=method == "HEAD")


def _otherwise(method: str, allowed: set[str]) -> Answer:
    if not allowed:
        return ProblemError("not-found", "There is no such page; /docs lists what there is.").answer()
    allow = (b"allow", ", ".join(sorted(allowed | {"OPTIONS"})).encode())
    if method == "OPTIONS":
        return Answer(204, headers=[allow])
    detail = f"Possible here: {allow[1].decode()}."
    return ProblemError("method-not-allowed", detail, headers=[allow]).answer()
