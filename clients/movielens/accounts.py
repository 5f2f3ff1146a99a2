"""One client per account of the file, over the same connections, each with a token renewed in time."""

import time
from collections.abc import Callable

from clients.python import Pickly

LIFETIME = 600.0
MARGIN = 120.0

Mint = Callable[[str], str]
"""Makes an access token for a handle, valid for LIFETIME seconds."""


class Accounts:
    """Clients by handle; tokens are minted when first needed and again MARGIN seconds before they end."""

    def __init__(self, pickly: Pickly, mint: Mint) -> None:
        self._pickly = pickly
        self._mint = mint
        self._tokens: dict[str, tuple[str, float]] = {}
        self._clients: dict[str, Pickly] = {}

    def of(self, handle: str) -> Pickly:
        """The client that acts as this account."""
        if handle not in self._clients:
            self._clients[handle] = self._pickly.acting_as(lambda: self._token(handle))
        return self._clients[handle]

    def _token(self, handle: str) -> str:
        token, renew_at = self._tokens.get(handle, ("", 0.0))
        if time.time() >= renew_at:
            token = self._mint(handle)
            self._tokens[handle] = (token, time.time() + LIFETIME - MARGIN)
        return token
