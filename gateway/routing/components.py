"""The parts that OpenAPI names once and every route refers to: request and answer headers, the problem."""

from typing import Final

from gateway.problems import FieldError
from gateway.shapes import COMMAND_ID, PICK_ID

PARAMETERS: Final[dict[str, dict[str, object]]] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Names the command: a repeat with the same key and body takes effect once and gets "
        "the same answer, another body under the key is 422. Kept for 8 days.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
        "example": "3f1d6a52-pick-dispossessed",
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=SECONDS` (at most 10) answers with the outcome instead of 202 (RFC 7240).",
        "schema": {"type": "string"},
        "example": "wait=5",
    },
    "PreferWait": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=SECONDS` (at most 10) is how long to wait for the answer, else 5 (RFC 7240); "
        "then it is 503 `no-answer-yet`.",
        "schema": {"type": "string"},
        "example": "wait=10",
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what you read; its version must still be the current one.",
        "schema": {"type": "string"},
        "example": '"3-9b2f6c1d0e7b9543"',
    },
    "IfMatchNeeded": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The ETag of what you read; its version must still be the current one.",
        "schema": {"type": "string"},
        "example": '"3-9b2f6c1d0e7b9543"',
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "ETags that you hold; 304 when one is still current.",
        "schema": {"type": "string"},
        "example": '"3-9b2f6c1d0e7b9543"',
    },
    "PicklyAfter": {
        "name": "Pickly-After",
        "in": "header",
        "description": "A command id: the answer shows what that command did. Waits up to 5 s, then 503.",
        "schema": {"type": "string", "format": "uuid"},
        "example": COMMAND_ID,
    },
}


def _header(text: str, example: str) -> dict[str, object]:
    return {"description": text, "schema": {"type": "string"}, "example": example}


HEADERS: Final[dict[str, dict[str, object]]] = {
    "Location": _header("Where to look next.", f"/v1/commands/{COMMAND_ID}"),
    "Content-Location": _header("The page of what is shown.", f"/v1/picks/{PICK_ID}"),
    "Pickly-Command": _header("The command's id, for /v1/commands and Pickly-After.", COMMAND_ID),
    "Preference-Applied": _header("The preference that was honoured.", "wait=5"),
    "ETag": _header("Version and hash, for If-Match and If-None-Match.", '"3-9b2f6c1d0e7b9543"'),
    "Cache-Control": _header("Who may keep a copy.", "public, no-cache"),
    "Retry-After": _header("Seconds after which to try again.", "1"),
    "WWW-Authenticate": _header("How to authenticate (RFC 6750).", 'Bearer error="invalid_token"'),
    "RateLimit-Policy": _header(
        "The limits that the request spends from: quota `q` in cost units (in requests for a limit of the "
        "route's own), window `w` in seconds.",
        '"account";q=12000;w=20, "address";q=100000;w=10',
    ),
    "RateLimit": _header(
        "Of the limit that will be reached first: what remains, seconds until all is back.",
        '"account";r=11997;t=0',
    ),
    "X-Request-Id": _header(
        "The trace id under which the logs know the request.", "0af7651916cd43dd8448eb211c80319c"
    ),
}

PROBLEM: Final[dict[str, object]] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "`/problems/<slug>`; programs look at this."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people."},
        "errors": {
            "type": "array",
            "description": "The fields that break a rule.",
            "items": {
                "type": "object",
                "required": [*FieldError.__dataclass_fields__],
                "properties": {name: {"type": "string"} for name in FieldError.__dataclass_fields__},
            },
        },
        "resource": {"type": "string", "description": "The page that this is about."},
    },
}
COMPONENTS: Final = {"parameters": PARAMETERS, "headers": HEADERS, "schemas": {"Problem": PROBLEM}}
