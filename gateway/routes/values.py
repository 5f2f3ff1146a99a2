"""Values in paths, queries and bodies that several routes share."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from infra.tokens import handle_of
from schemas import refs
from schemas.types import Ref

LONGEST_REF: Final = 2_000


def canonical(ref: str) -> str:
    """The one form of a reference; it can be longer than what was given. Raises ValueError."""
    form = refs.canonical(ref)
    if len(form) > LONGEST_REF:
        raise ValueError(f"has more than {LONGEST_REF:,} characters in its canonical form")
    return form


def _account(text: str) -> UUID | str:
    if text.startswith("@"):
        return handle_of(text[1:])
    try:
        return UUID(text)
    except ValueError:
        raise ValueError("must be the id of an account, or @ and its handle") from None


CanonicalRef = Annotated[Ref, AfterValidator(canonical)]
AccountName = Annotated[
    UUID | str,
    PlainValidator(_account),
    WithJsonSchema({"type": "string", "examples": ["@alice", "0f1777ec-1cc9-5865-8894-7f5d2e9aff46"]}),
    Path(description="An account's id, or `@handle`."),
]
"""An id, or a handle in lower case: gateway/reads/accounts.py knows whose it is."""
Limit = Annotated[int, Query(ge=1, le=100, description="At most so many items.")]
Cursor = Annotated[str | None, Query(max_length=64, description="`next` of the page before.")]
DEFAULT_LIMIT: Final = 20
