"""Who the client is: the peer of the connection, or what trusted proxies say about whom they speak for."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_BYTES: Final = 1_024
"""So much of X-Forwarded-For is read, from its right end: twenty proxies, and little to remember."""
KEPT: Final = 4_096
UNKNOWN: Final = "unknown"
WITH_PORT: Final = re.compile(r"\[([^\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
"""`[2001:db8::1]`, `[2001:db8::1]:443` or `192.0.2.1:443`: an IPv6 address without brackets has no port."""
SCHEMES: Final = {b"http": "http", b"https": "https"}


class Clients:
    """Finds the client of a request; believes forwarding headers from `trusted` networks only."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._forwarded = lru_cache(KEPT)(self._walk)

    def find(self, scope: Scope) -> None:
        """Put `client_address` and `client_scheme` into the scope; nothing else looks at the peer."""
        peer = (scope.get("client") or (UNKNOWN,))[0]
        scope["client_address"] = _plain(peer)
        scope["client_scheme"] = scope.get("scheme", "http")
        if self._trusted:
            chain = _values(scope["headers"], b"x-forwarded-for")
            address, hops = self._forwarded(peer, chain)
            scope["client_address"] = address
            if hops:
                self._believe_scheme(scope, hops)

    def _walk(self, peer: str, chain: bytes) -> tuple[str, int]:
        """The client's address, and how many proxies lie between: 0 when the peer is not trusted."""
        client = parsed(peer)
        if client is None or not self._trusts(client):
            return _plain(peer), 0
        hops = 0
        for entry in reversed(chain.split(b",")):
            before = parsed(_without_port(entry.strip().decode("latin-1")))
            if before is None:
                break
            client, hops = before, hops + 1
            if not self._trusts(client):
                break
        return str(client), max(1, hops)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _believe_scheme(self, scope: Scope, hops: int) -> None:
        """Each proxy adds or replaces: the value that belongs to the client is as far from the right."""
        told = _values(scope["headers"], b"x-forwarded-proto").split(b",")
        scheme = SCHEMES.get(told[-min(hops, len(told))].strip().lower())
        if scheme is not None:
            scope["client_scheme"] = scheme


def parsed(text: str) -> Address | None:
    """The address, an IPv4 one also when it is mapped into IPv6; None when it is none, or has a zone."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or (None if address.scope_id else address)


@lru_cache(KEPT)
def limited_as(address: str) -> str:
    """What counts as one client for limits: an IPv4 address, or the /64 that an IPv6 host may choose from."""
    found = parsed(address)
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address


@lru_cache(KEPT)
def _plain(peer: str) -> str:
    address = parsed(peer.partition("%")[0])
    return UNKNOWN if address is None else str(address)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    """The lines of a header as one list, its right end only when it is too long; never a part of an entry."""
    joined = b",".join([value for found, value in headers if found == name])
    return joined if len(joined) <= MOST_BYTES else joined[-MOST_BYTES:].partition(b",")[2]


def _without_port(entry: str) -> str:
    found = WITH_PORT.fullmatch(entry)
    return (found[1] or found[2]) if found else entry
