"""`Pickly`: every route of the HTTP API as a typed method."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx

from clients.python.codec import After, command_id_of, json_of, written_of
from clients.python.models import (
    Command,
    NewPick,
    Page,
    Pick,
    PickChanges,
    ReactionKind,
    Thing,
    Things,
    Written,
)
from clients.python.problems import CommandNotDoneError
from clients.python.wire import Answer, Retry, Token, Wire, seconds_of

LONGEST_AFTER = 5.0
"""Seconds that the server may wait for a write of ours to become visible before it answers a read."""

ReadT = TypeVar("ReadT", Pick, Thing)


class Pickly:
    """A client of one gateway, acting as the account of `token` (reads need none).

    Every write carries an Idempotency-Key, made here unless `key` is given and the same on every retry, so
    that it takes effect once. With `wait` (seconds, at most 10) the server answers when the write is visible;
    without, or when that time runs out, `Written.status` is "pending". Every read takes `after`: a write of
    one's own that it must already show.

    All methods raise Problem (its subclass names the status) or UnreachableError.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: Token | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        retry: Retry | None = None,
    ) -> None:
        self._wire = Wire(base_url, token, transport or httpx.AsyncHTTPTransport(), retry or Retry())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, also those of clients made with `acting_as`."""
        await self._wire.transport.aclose()

    def acting_as(self, token: Token | None) -> "Pickly":
        """The same gateway, connections and policy for another account."""
        wire = self._wire
        return Pickly(wire.base_url, token=token, transport=wire.transport, retry=wire.retry)

    # Writes

    async def publish(self, pick: NewPick, *, wait: float | None = None, key: str | None = None) -> Written:
        """Publish a pick. A second one of the same thing is a Conflict, `resource` links to the first."""
        return await self._write("POST", "/v1/picks", json_of(pick), wait=wait, key=key)

    async def edit(
        self,
        pick_id: UUID,
        changes: PickChanges,
        *,
        if_match: str,
        wait: float | None = None,
        key: str | None = None,
    ) -> Written:
        """Change a pick of one's own, as last read: `if_match` is that Pick's etag, else Stale."""
        path = f"/v1/picks/{pick_id}"
        return await self._write("PATCH", path, json_of(changes), wait=wait, key=key, if_match=if_match)

    async def delete(
        self, pick_id: UUID, *, if_match: str | None = None, wait: float | None = None, key: str | None = None
    ) -> Written:
        """Hide a pick of one's own; it can be restored for 30 days."""
        return await self._write("DELETE", f"/v1/picks/{pick_id}", wait=wait, key=key, if_match=if_match)

    async def restore(self, pick_id: UUID, *, wait: float | None = None, key: str | None = None) -> Written:
        """Show a deleted pick again."""
        return await self._write("POST", f"/v1/picks/{pick_id}/restore", wait=wait, key=key)

    async def react(
        self, pick_id: UUID, kind: ReactionKind, *, wait: float | None = None, key: str | None = None
    ) -> Written:
        """Add one's reaction of this kind to a pick; no effect when it is there."""
        return await self._write("PUT", f"/v1/picks/{pick_id}/reactions/{kind}", wait=wait, key=key)

    async def unreact(
        self, pick_id: UUID, kind: ReactionKind, *, wait: float | None = None, key: str | None = None
    ) -> Written:
        """Take one's reaction away; no effect when there is none."""
        return await self._write("DELETE", f"/v1/picks/{pick_id}/reactions/{kind}", wait=wait, key=key)

    # What became of a write

    async def command(self, which: Written | UUID | str) -> Command:
        """The fate of a command, which only its own account sees: of a write, its location, or its id.

        With the first two, another body sent earlier under the same key shows as Invalid.
        """
        return (await self._command(which))[0]

    async def wait_until_done(self, which: Written | UUID | str, within: float = 30.0) -> Command:
        """Ask until the command is done, as often as the server suggests.

        Raises CommandNotDoneError when it was refused or failed, or is still not done after `within` seconds.
        """
        give_up = time.monotonic() + within
        while True:
            command, pause = await self._command(which)
            if command.status == "done":
                return command
            left = give_up - time.monotonic()
            if command.status in ("refused", "failed") or left <= 0:
                raise CommandNotDoneError(command)
            await asyncio.sleep(min(pause, left))

    # Reads

    async def pick(self, pick_id: UUID, *, after: After = None, known: Pick | None = None) -> Pick:
        """One pick. `known`, as read before, is returned itself when it has not changed since (ETag)."""
        return await self._read(Pick, f"/v1/picks/{pick_id}", after, known)

    async def thing(self, thing_id: UUID, *, after: After = None, known: Thing | None = None) -> Thing:
        """One thing. `known`, as read before, is returned itself when it has not changed since (ETag)."""
        return await self._read(Thing, f"/v1/things/{thing_id}", after, known)

    async def find_thing(self, ref: str, *, after: After = None) -> Thing | None:
        """The thing of this ref, normalised like on the way in; None when nobody picked it yet."""
        answer = await self._get("/v1/things", after, query={"ref": ref})
        return next(iter(Things.model_validate_json(answer.body).items), None)

    def account_picks(
        self, account: UUID | str, *, limit: int = 100, after: After = None
    ) -> AsyncIterator[Pick]:
        """All picks of an account ("@handle" or id), newest `picked_at` first, read in pages of `limit`."""
        return self._all(f"/v1/accounts/{quote(str(account), safe='@')}/picks", limit, after)

    def thing_picks(self, thing_id: UUID, *, limit: int = 100, after: After = None) -> AsyncIterator[Pick]:
        """All picks of a thing, newest published first, read in pages of `limit`."""
        return self._all(f"/v1/things/{thing_id}/picks", limit, after)

    def latest(self, *, limit: int = 100, after: After = None) -> AsyncIterator[Pick]:
        """All picks of everybody, newest published first, read in pages of `limit`."""
        return self._all("/v1/feeds/latest", limit, after)

    # How

    async def _write(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        wait: float | None,
        key: str | None,
        if_match: str | None = None,
    ) -> Written:
        headers = {"idempotency-key": key or str(uuid4())}
        if body is not None:
            headers["content-type"] = "application/json"
        if wait is not None:
            headers["prefer"] = f"wait={wait:g}"
        if if_match is not None:
            headers["if-match"] = if_match
        return written_of(
            await self._wire.send(method, path, headers=headers, body=body, patience=wait or 0.0)
        )

    async def _read(self, model: type[ReadT], path: str, after: After, known: ReadT | None) -> ReadT:
        answer = await self._get(path, after, etag=known.etag if known is not None else None)
        if known is not None and answer.status == 304:
            return known
        read = model.model_validate_json(answer.body)
        return read.model_copy(update={"etag": answer.headers.get("etag")})

    async def _all(self, path: str, limit: int, after: After) -> AsyncIterator[Pick]:
        query = {"limit": str(limit)}
        while True:
            answer = await self._get(path, after, query=query)
            page = Page[Pick].model_validate_json(answer.body)
            for pick in page.items:
                yield pick
            if page.next is None:
                return
            query["cursor"] = page.next

    async def _get(
        self, path: str, after: After, *, query: Mapping[str, str] | None = None, etag: str | None = None
    ) -> Answer:
        headers = {} if etag is None else {"if-none-match": etag}
        if after is not None:
            headers["pickly-after"] = str(command_id_of(after))
        patience = LONGEST_AFTER if after is not None else 0.0
        return await self._wire.send("GET", path, query=query, headers=headers, patience=patience)

    async def _command(self, which: Written | UUID | str) -> tuple[Command, float]:
        location = which.location if isinstance(which, Written) else which
        path = f"/v1/commands/{location}" if isinstance(location, UUID) else location
        answer = await self._wire.send("GET", path)
        pause = seconds_of(answer.headers.get("retry-after"))
        return Command.model_validate_json(answer.body), 0.5 if pause is None else max(pause, 0.05)
