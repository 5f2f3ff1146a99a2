"""What OpenAPI says about a route beside its values: headers it reads, answers it gives, problems."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel

from gateway.permissions import permission
from gateway.problems import KINDS, WAYS_OUT
from gateway.session_shapes import SESSION
from gateway.shapes import ACCOUNT, PICK, PICK_ID, STAFF_ACCOUNT, STATUS

Responses = dict[int | str, dict[str, Any]]
IfMatch = Literal["needed", "taken", "ignored"]
"""Whether a command needs If-Match (428 without), takes it, or does not look at it."""
PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
EXAMPLES: Final[Mapping[str, Mapping[str, object]]] = {
    "Pick": PICK,
    "Account": ACCOUNT,
    "Session": SESSION,
    "StaffAccount": STAFF_ACCOUNT,
}
"""What commands lead to, by the name of its schema."""
DANGEROUS: Final = ("step-up-needed", "unavailable")
"""How the gateway may refuse a dangerous request."""
OF_A_COMMAND: Final = (
    *("request-timeout", "too-large", "headers-too-large", "unsupported-media-type", "invalid"),
    *("idempotency-key-reused", "too-many-requests", "command-failed", "outcome-unknown", "not-sent", "busy"),
)
OF_A_PICK: Final = ("not-found", "deleted", "not-deleted", "pick-closed")
LIMITS: Final = ("RateLimit-Policy", "RateLimit", "X-Request-Id")
OF_STATUS: Final = {
    308: ("Location",),
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def refusals_of(may: str, own: Sequence[str], *, dangerous: bool) -> tuple[str, ...]:
    """How a route refuses: who lacks the permission, for reasons of its `own`, and what is dangerous."""
    rights = () if permission(may).anonymous else ("forbidden", "second-factor-needed")
    return (*rights, *own, *(DANGEROUS if dangerous else ()))


def headers(*names: str) -> dict[str, dict[str, str]]:
    """References to documented headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, *LIMITS)}


def problems(*slugs: str) -> Responses:
    """The answers for these problems, by status, each with an example."""
    documented: Responses = {}
    for slug in slugs:
        kind = KINDS[slug]
        answer = documented.setdefault(
            kind.status,
            {
                "description": kind.title,
                "headers": headers(*OF_STATUS.get(kind.status, ())),
                "content": {
                    "application/problem+json": {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        if kind.title not in answer["description"]:
            answer["description"] += f"; {kind.title[0].lower()}{kind.title[1:]}"
        answer["content"]["application/problem+json"]["examples"][slug] = {"value": _example(slug)}
    return documented


def _example(slug: str) -> dict[str, object]:
    kind = KINDS[slug]
    example: dict[str, object] = {
        "type": f"/problems/{slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
    }
    if slug == "invalid":
        error = {
            "field": "thing.title",
            "rule": "max_length",
            "detail": "String should have at most 300 characters",
        }
        example["errors"] = [error]
    if slug in ("already-picked", "deleted"):
        example["resource"] = f"/v1/picks/{PICK_ID}{WAYS_OUT.get(slug, '')}"
    return example


def command_headers(if_match: IfMatch) -> dict[str, object]:
    """The request headers of a command route."""
    names = {"needed": ("IfMatchNeeded",), "taken": ("IfMatch",), "ignored": ()}[if_match]
    return {"parameters": [_parameter(name) for name in ("IdempotencyKey", "Prefer", *names)]}


def command_answers(
    *, creates: bool, if_match: IfMatch, shows: str = "Pick", refusals: Sequence[str] = OF_A_PICK
) -> Responses:
    """The answers of a command route beside 202's body. `shows` is the schema of what it changes."""
    steps = {"needed": ("stale", "precondition-required"), "taken": ("stale",), "ignored": ()}[if_match]
    answers = problems("malformed", "unauthorised", *refusals, "conflict", *steps, *OF_A_COMMAND)
    answers[202] = {"headers": headers("Location", "Pickly-Command")}
    shown = headers(
        "Location" if creates else "Content-Location", "Pickly-Command", "Preference-Applied", "ETag"
    )
    made = {"schema": {"$ref": f"#/components/schemas/{shows}"}}
    if creates:
        description = "With `Prefer: wait`: what was made, as it is now."
        answers[201] = {"description": description, "headers": shown, "content": {"application/json": made}}
    answers[200] = {
        "description": "With `Prefer: wait`: the resource as it is now, or the command if there is none.",
        "headers": headers("Pickly-Command", "Preference-Applied") if creates else shown,
        "content": {"application/json": _done(shows)},
    }
    return answers


def _done(shows: str) -> dict[str, object]:
    """What became of a command: the resource, or the command where there is none."""
    command = {name: value for name, value in STATUS.items() if name != "reason"} | {"status": "done"}
    return {
        "schema": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in (shows, "CommandStatus")]},
        "examples": {shows.lower(): {"value": EXAMPLES[shows]}, "command": {"value": command}},
    }


def sealed_answers(status: int, refusals: Sequence[str], asks: type[BaseModel] | None = None) -> Responses:
    """The answers of a route with secrets beside its body; `asks` is what it may show with 200 instead."""
    answers = problems(
        *("malformed", "unauthorised", *refusals, "request-timeout", "too-large", "unsupported-media-type"),
        *(
            "invalid",
            "too-many-requests",
            "headers-too-large",
            "command-failed",
            "outcome-unknown",
            "not-sent",
        ),
        *("busy", "unavailable", "no-answer-yet", "expired", "unreadable"),
    )
    answers[status] = {"headers": headers("Pickly-Command")}
    if asks is not None:
        answers[200] = {"headers": headers("Pickly-Command"), "model": asks}
    return answers


def sealed_headers(may: str) -> dict[str, object]:
    """The request headers of a route with secrets, and whether it needs a token."""
    return {"parameters": [_parameter("PreferWait")], **security(may)}


def read_headers(reads: Sequence[str], may: str) -> dict[str, object]:
    """The request headers of a read route, and whether it needs a token."""
    names = ("IfNoneMatch", "PicklyAfter") if reads else ()
    return {"parameters": [_parameter(name) for name in names], **security(may)}


def security(may: str) -> dict[str, object]:
    """Where everybody may, the token is optional."""
    return {"security": [{}]} if permission(may).anonymous else {}


def read_answers(*, waits: bool, refusals: Sequence[str]) -> Responses:
    """The answers of a read route beside 200's body."""
    slugs = ["malformed", "unauthorised", "request-timeout", "invalid", "too-many-requests"]
    slugs += ["headers-too-large", "unavailable", *refusals]
    slugs += ["not-yet-visible"] if waits else []
    answers = problems(*slugs)
    answers[200] = {"headers": headers("ETag", "Cache-Control") if waits else headers("Retry-After")}
    if waits:
        answers[304] = {
            "description": "What you hold is current.",
            "headers": headers("ETag", "Cache-Control"),
        }
    return answers


def _parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}
