"""The relying party of passkeys: the site that they are made for and the addresses where they may be used."""

from dataclasses import dataclass
from urllib.parse import urlsplit


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

    def _may_be_used_at(self, origin: str) -> bool:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        secure = parts.scheme == "https" or (parts.scheme == "http" and host == "localhost")
        return secure and f".{host}".endswith(f".{self.id}") and origin == f"{parts.scheme}://{parts.netloc}"
