"""The relying party of passkeys: the site that they are made for and the addresses where they may be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from consumers.auth.config import AuthSettings
from infra.settings import settings

NAME: Final = "Pickly"


@dataclass(frozen=True, slots=True)
class Relying:
    """Whom passkeys are made for. Raises ValueError where no browser could use them there."""

    id: str
    """A domain without port, such as `pickly.example`; a passkey is bound to it for ever."""
    name: str
    origins: tuple[str, ...]
    """`https://` addresses of that domain or below it; plain http for `localhost` only."""

    def __post_init__(self) -> None:
        if not self.origins:
            raise ValueError("passkeys need at least one origin")
        for origin in self.origins:
            if not self._may_be_used_at(origin):
                raise ValueError(
                    f"passkeys of {self.id!r} cannot be used at {origin!r}: an origin is https://HOST or "
                    "https://HOST:PORT without a path, HOST being that domain or below it"
                )

    @classmethod
    def of(cls, site: str, origins: Sequence[str] = ()) -> Self:
        """The party of a site; its own address is the origin unless others are given.

        Browsers make no passkeys for IP addresses: a site on loopback is `localhost`. Raises ValueError.
        """
        parts = urlsplit(site)
        host = parts.hostname or ""
        if _is_loopback(host):
            host = "localhost"
        port = f":{parts.port}" if parts.port else ""
        return cls(host, NAME, tuple(origins) or (f"{parts.scheme}://{host}{port}",))

    def _may_be_used_at(self, origin: str) -> bool:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        secure = parts.scheme == "https" or (parts.scheme == "http" and host == "localhost")
        return secure and f".{host}".endswith(f".{self.id}") and origin == f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def relying() -> Relying:
    """The party of this installation, read once."""
    return Relying.of(settings().site, AuthSettings().passkey_origins)
