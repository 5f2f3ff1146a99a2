"""The gateway as one ASGI application: every route is put together here."""

from typing import Final

from starlette.types import ASGIApp

from gateway.edge import Edge
from gateway.pages import pages
from gateway.routes import (
    accounts,
    admin,
    auth,
    commands,
    credentials,
    factors,
    feeds,
    leaving,
    me,
    picks,
    reactions,
    sessions,
    things,
)
from gateway.routing.declared import DeclaredRoute
from gateway.routing.table import Table
from gateway.services import Services

ROUTERS: Final = (
    auth.writes,
    credentials.writes,
    credentials.reads,
    factors.writes,
    factors.reads,
    sessions.writes,
    sessions.reads,
    leaving.writes,
    leaving.reads,
    picks.writes,
    picks.reads,
    reactions.writes,
    things.reads,
    accounts.reads,
    me.reads,
    me.writes,
    admin.reads,
    admin.writes,
    feeds.reads,
    commands.reads,
)


def declared_routes() -> list[DeclaredRoute]:
    """Every route of the API, as declared."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, DeclaredRoute)]


def create_app(services: Services, probes: ASGIApp) -> ASGIApp:
    """The application over open services. `probes` answers /healthz, /readyz and /metrics."""
    routes = declared_routes()
    return Edge(Table(routes, pages(routes, probes), services), services.limits)
