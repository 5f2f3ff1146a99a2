"""The refresh token of a browser: in a cookie that no script reads, and that no other site makes it send."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import urlsplit

from gateway.answers import Header
from gateway.config import ANY_ORIGIN
from gateway.problems import ProblemError, invalid
from gateway.routing.incoming import Incoming
from schemas.sessions import UNUSED_ENDS

Delivery = Literal["body", "cookie"]
"""How a refresh token reaches its client: an app keeps it itself, a browser in a cookie."""
NAME: Final = "__Host-pickly-refresh"
"""Browsers take a cookie of such a name over TLS only, for this very host and all its paths (RFC 6265bis)."""
LOOPBACK_NAME: Final = "pickly-refresh"
DEFENCE: Final = b"pickly-csrf"
"""A header that no form can send, and no page of another origin without a preflight that we refuse."""
FIELD: Final = "refresh_token"


Present = Callable[[dict[str, object], Delivery, Incoming], dict[str, object]]
"""Makes of an answer's fields what its client sees of them; the rest goes into headers."""


def as_it_is(fields: dict[str, object], _delivery: Delivery, _incoming: Incoming) -> dict[str, object]:
    """All fields."""
    return fields


def browser_or_app(fields: dict[str, object], delivery: Delivery, incoming: Incoming) -> dict[str, object]:
    """Take the refresh token, if there is one, out of an answer for a browser, and into its cookie."""
    if delivery == "body" or FIELD not in fields:
        return fields
    incoming.added.append(_set_cookie(incoming, str(fields[FIELD]), int(UNUSED_ENDS.total_seconds())))
    return {name: value for name, value in fields.items() if name != FIELD}


def deliverable(delivery: Delivery, incoming: Incoming) -> Delivery:
    """Raises ProblemError (422) for a cookie on a connection that anybody can read."""
    if delivery == "cookie" and _name(incoming) is None:
        raise invalid("delivery", "insecure", "a cookie needs https (or http on this machine itself)")
    return delivery


def refresh_token(incoming: Incoming) -> str | None:
    """The refresh token in the cookie; raises ProblemError (403) unless one of our pages sent it."""
    token = _cookie(incoming)
    if token is not None:
        _same_origin(incoming)
    return token


def forgotten(incoming: Incoming) -> list[Header]:
    """What makes the browser forget a refresh token that it has sent."""
    return [] if _cookie(incoming) is None else [_set_cookie(incoming, "", 0)]


def _cookie(incoming: Incoming) -> str | None:
    name = _name(incoming)
    for pair in incoming.headers.get(b"cookie", b"").decode("latin-1").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return None


def _same_origin(incoming: Incoming) -> None:
    headers, scope = incoming.headers, incoming.scope
    own = f"{scope['client_scheme']}://{headers.get(b'host', b'').decode('latin-1')}"
    known = {own, *incoming.services.limits.cors_origins} - {ANY_ORIGIN}
    from_us = headers.get(b"origin", b"").decode("latin-1") in known
    if not (from_us or headers.get(b"sec-fetch-site") == b"same-origin") or headers.get(DEFENCE) != b"1":
        raise ProblemError(
            "csrf-refused",
            "A cookie counts from our own pages and allowed origins only, with the header `Pickly-CSRF: 1`.",
        )


def _name(incoming: Incoming) -> str | None:
    """What the cookie is called here; None where there may be none."""
    if incoming.scope["client_scheme"] == "https":
        return NAME
    return LOOPBACK_NAME if _is_loopback(incoming.headers.get(b"host", b"").decode("latin-1")) else None


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _set_cookie(incoming: Incoming, value: str, seconds: int) -> Header:
    name = _name(incoming)
    assert name is not None
    secure = "; Secure" if name == NAME else ""
    cookie = f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", cookie.encode("latin-1")
