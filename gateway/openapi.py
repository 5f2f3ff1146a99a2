"""`/openapi.json`: made by FastAPI from the declared routes, completed with what they refer to."""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi

from gateway.routing.components import COMPONENTS
from gateway.routing.declared import DeclaredRoute

DESCRIPTION = """
Recommend things you like: a **pick** is one person's recommendation of a thing.

- A write is answered with 202 as soon as the broker has it; `Location` tells what becomes of it, and
  `Prefer: wait=5` waits for the outcome. `Idempotency-Key` makes repeats harmless.
- A listing of picks may be a second old. `Pickly-After` on a read shows what your command did, or says 503;
  never a stale answer.
- What goes wrong is told as `application/problem+json` (RFC 9457).
- Get a token of the local stack with `./pickly token HANDLE`.
"""
TAGS = [
    {"name": "Picks", "description": "Publish, change, delete, restore, show."},
    {"name": "Reactions", "description": "Give and take back."},
    {"name": "Things", "description": "What people pick: books, films, places, pages."},
    {"name": "Accounts", "description": "Who somebody is, and what he picked."},
    {"name": "My account", "description": "What it says about you, and what it is called."},
    {"name": "Identity", "description": "Open an account, sign in, second factors, what was done to it."},
    {"name": "Staff", "description": "Look at accounts, give and take roles."},
    {"name": "Feeds", "description": "Lists of picks."},
    {"name": "Sessions", "description": "Where you are signed in."},
    {"name": "Commands", "description": "What has become of a write."},
]


def openapi(routes: Sequence[DeclaredRoute]) -> dict[str, Any]:
    """The whole document, OpenAPI 3.1."""
    document = get_openapi(
        title="Pickly",
        version="1",
        summary="An open social recommendation platform.",
        description=DESCRIPTION.strip(),
        routes=list(routes),
        tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/"}],
    )
    for kind, parts in COMPONENTS.items():
        document["components"].setdefault(kind, {}).update(parts)
    return document
