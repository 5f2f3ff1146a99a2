"""The authorisation matrix as data: who may come, what each route is asked, and what each permission allows.

A route or permission that is not declared here fails the tests that read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from gateway.app import declared_routes
from gateway.routing.commands import CommandRoute
from gateway.routing.declared import DeclaredRoute
from gateway.routing.sealed import SealedRoute
from infra.settings import Settings
from schemas.accounts import Standing
from tests.accounts import an_account
from tests.gateway.mesh import Mesh
from tests.gateway.people import WAIT, Person, new_pick
from tests.infra.forged_tokens import Forge

ROUTES: Final = {f"{min(route.methods or ())} {route.path}": route for route in declared_routes()}


@dataclass(frozen=True)
class Kind:
    """A kind of actor: the roles and the assurance in his token, and his standing."""

    roles: tuple[str, ...] = ("member",)
    assurance: int = 2
    standing: Standing = "active"


KINDS: Final[Mapping[str, Kind]] = {
    "reader": Kind(("reader",)),
    "member": Kind(assurance=1),
    "local": Kind(()),
    "analyst": Kind(("member", "analyst")),
    "moderator": Kind(("member", "moderator")),
    "moderator with one factor": Kind(("member", "moderator"), assurance=1),
    "moderator of a queue": Kind(("member", "moderator:queue:spam")),
    "admin": Kind(("member", "admin")),
    "admin with one factor": Kind(("member", "admin"), assurance=1),
    "owner": Kind(("member", "owner")),
    "suspended": Kind(standing="suspended"),
}
EVERYBODY: Final = frozenset({*KINDS, "anonymous"})
SIGNED_IN: Final = frozenset(KINDS)
MEMBERS: Final = SIGNED_IN - {"reader"}
ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "public.read": EVERYBODY,
    "pick.read": EVERYBODY,
    "account.read": EVERYBODY,
    "auth.public": EVERYBODY,
    "auth.own": SIGNED_IN,
    "account.leave": SIGNED_IN,
    "command.read": SIGNED_IN,
    "profile.read": SIGNED_IN,
    "profile.change": SIGNED_IN,
    "session.list": SIGNED_IN,
    "session.read": SIGNED_IN,
    "session.change": SIGNED_IN,
    "session.end": SIGNED_IN,
    "pick.publish": MEMBERS,
    "pick.change": MEMBERS,
    "reaction.write": MEMBERS,
    "account.inspect": frozenset({"moderator", "admin", "owner"}),
    "role.grant": frozenset({"admin", "owner"}),
}
"""Who has each permission, written down a second time: schemas/roles.py must agree."""
ONCE: Final = frozenset(
    {
        *("DELETE /v1/picks/{pick_id}", "POST /v1/picks/{pick_id}/restore", "PUT /v1/me/handle"),
        *(f"DELETE /v1/auth/sessions{which}" for which in ("", "/current", "/{session}")),
        *("PUT /v1/me/deactivation", "PUT /v1/me/deletion", "DELETE /v1/me/deletion"),
    }
)
"""What can be done once only, and so needs things of its own for each try."""
DECIDED_AGAINST: Final[Mapping[str, frozenset[str]]] = {
    "PATCH /v1/me": frozenset({"suspended"}),
    "PUT /v1/me/handle": frozenset({"suspended"}),
}
"""Let in by the gateway and answered 403 by identity, which knows how an account stands now."""


def body_of(name: str) -> Any:
    """A body that the route takes, None where it takes none. Raises KeyError for a route without one here."""
    sealed = {
        "POST /v1/auth/registrations": {
            "handle": f"h{uuid4().hex[:20]}",
            "email": f"{uuid4().hex}@example.org",
            "password": f"{uuid4()}",
        },
        "POST /v1/auth/sessions": {"identifier": f"h{uuid4().hex[:20]}", "password": "x"},
        "POST /v1/auth/tokens": {"refresh_token": "A" * 64},
    }
    bodies = sealed | {
        "POST /v1/picks": new_pick(),
        "PATCH /v1/picks/{pick_id}": {"note": uuid4().hex},
        "PATCH /v1/auth/sessions/{session}": {"device": uuid4().hex},
        "PATCH /v1/me": {"bio": uuid4().hex},
        "PUT /v1/me/handle": {"handle": f"q{uuid4().hex[:20]}"},
    }
    return bodies[name] if takes_a_body(ROUTES[name]) else None


def takes_a_body(route: DeclaredRoute) -> bool:
    """Whether the route is declared with one."""
    return route.body_field is not None


def allowed(name: str, kind: str) -> bool:
    """Whether this kind of actor is let in. Raises KeyError for a permission that is not in the matrix."""
    return kind in ALLOWED[ROUTES[name].may]


def when_let_in(name: str) -> int:
    """The answer to a good request about one's own things. Nobody here opens what is sealed: 503."""
    route = ROUTES[name]
    if isinstance(route, SealedRoute):
        return 503
    return 201 if isinstance(route, CommandRoute) and route.created else 200


def expected(name: str, kind: str, *, own: bool) -> int:
    """The status of one cell."""
    if not allowed(name, kind):
        return 401 if kind == "anonymous" else 403
    if kind in DECIDED_AGAINST.get(name, ()):
        return 403
    foreign = ROUTES[name].permission.foreign
    return when_let_in(name) if own or foreign is None else foreign


@dataclass(frozen=True)
class World:
    """What the routes are tried on: things of the owner, and somebody whom staff may touch."""

    owner: Person
    handle: str
    pick: str
    deleted: str
    thing: str
    ref: str
    command: str
    target: str
    session: str

    def request(self, name: str) -> tuple[str, str, Any]:
        """Method, path and body that are right for the owner. Raises KeyError for an unknown parameter."""
        method, _, template = name.partition(" ")
        values = {
            "pick_id": self.deleted if template.endswith("/restore") else self.pick,
            "kind": "like",
            "thing_id": self.thing,
            "command_id": self.command,
            "account": f"@{self.handle}",
            "account_id": self.target,
            "role": "member" if method == "DELETE" else "analyst",
            "token": "A" * 64,
            "session": self.session,
        }
        path = template.format_map(values) + (f"?ref={self.ref}" if template == "/v1/things" else "")
        return method, path, body_of(name)


async def a_world(mesh: Mesh, owner: Person, kind: Kind) -> World:
    """The owner with an account, a pick and a deleted pick."""
    handle, target = f"h{uuid4().hex[:20]}", uuid4()
    roles = kind.roles or ("member",)
    await mesh.open(an_account(owner.account, handle, roles=roles, standing=kind.standing))
    await mesh.open(an_account(target, f"h{uuid4().hex[:20]}", roles=("reader", "member")))
    await mesh.begin(current_session(owner), owner.account)
    await mesh.begin(session := uuid4(), owner.account)
    made = await owner.publish(shown := new_pick())
    deleted = await owner.publish()
    await owner.send("DELETE", deleted.headers["location"], **WAIT)
    return World(
        owner=owner,
        handle=handle,
        pick=made.json()["id"],
        deleted=deleted.json()["id"],
        thing=made.json()["thing"]["id"],
        ref=shown["thing"]["ref"],
        command=made.headers["pickly-command"],
        target=str(target),
        session=str(session),
    )


def current_session(person: Person) -> UUID:
    """The session that the tokens of `as_kind` belong to."""
    return uuid5(person.account, "session")


def as_kind(person: Person, kind: Kind, settings: Settings) -> Person:
    """The same account with the token of a kind."""
    who = {"sub": str(person.account), "sid": str(current_session(person))}
    token = Forge(settings).token(**who, roles=kind.roles, aal=kind.assurance)
    return replace(person, token=token)
