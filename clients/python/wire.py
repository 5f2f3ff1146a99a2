"""One request over a transport, sent again where that is safe and within the time that the policy gives."""

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache

import httpx

from clients.python.problems import Problem, UnreachableError, problem_of

Token = str | Callable[[], str | Awaitable[str]]
"""An access token, or what gives one: asked before every attempt, so that it can renew a token in time."""

_AGAIN = frozenset({429, 500, 502, 503, 504})
_NO_ANSWER = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.TimeoutException, TimeoutError)

_url = lru_cache(maxsize=256)(httpx.URL)  # parsing takes longer than all else that is done here for a request


@dataclass(frozen=True)
class Retry:
    """How long one call may take and how it waits between attempts; all in seconds.

    `total` bounds everything, pauses included. A pause doubles from `first` up to `longest` and is shortened
    by up to half at random, so that clients do not come back together; a Retry-After comes on top.
    """

    total: float = 30.0
    attempt: float = 15.0
    first: float = 0.1
    longest: float = 5.0

    def pause(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after the attempt of this number (from 1)."""
        back_off = min(self.longest, self.first * 2.0 ** min(attempt - 1, 30))
        return (retry_after or 0.0) + back_off * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class Answer:
    """A status below 400 with its body; `attempts` counts the requests that it took."""

    status: int
    headers: httpx.Headers
    body: bytes
    attempts: int


class Wire:
    """Knows the address, the token and the policy; shares its transport with its siblings."""

    def __init__(
        self, base_url: str, token: Token | None, transport: httpx.AsyncBaseTransport, retry: Retry
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.token = token
        self.transport = transport
        self.retry = retry

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        patience: float = 0.0,
    ) -> Answer:
        """Send until there is an answer that does not ask to come again.

        Whoever calls this with a method that writes gives an Idempotency-Key, which makes a repeat harmless.
        `patience` is how long (seconds) the server was asked to wait on top of a usual answer.

        Raises Problem for an answer of 400 or more, UnreachableError when there was none in time.
        """
        url = _url(self.base_url + path)
        if query:
            url = url.copy_merge_params(query)
        give_up = time.monotonic() + self.retry.total + patience
        attempt = 0
        while True:
            attempt += 1
            limit = min(self.retry.attempt + patience, give_up - time.monotonic())
            outcome = await self._try(method, url, headers or {}, body, limit)
            if isinstance(outcome, httpx.Response) and outcome.status_code < 400:
                return Answer(outcome.status_code, outcome.headers, outcome.content, attempt)
            await self._pause_or_raise(outcome, attempt, give_up)

    async def _try(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | None, limit: float
    ) -> httpx.Response | Exception:
        authorization = {"authorization": f"Bearer {await self._token()}"} if self.token else {}
        request = httpx.Request(method, url, headers={**headers, **authorization}, content=body)
        try:
            async with asyncio.timeout(max(limit, 0.001)):
                response = await self.transport.handle_async_request(request)
                await response.aread()
                return response
        except _NO_ANSWER as error:
            return error

    async def _token(self) -> str:
        token = self.token() if callable(self.token) else self.token
        return str(await token if inspect.isawaitable(token) else token)

    async def _pause_or_raise(
        self, outcome: httpx.Response | Exception, attempt: int, give_up: float
    ) -> None:
        problem: Problem | UnreachableError
        if isinstance(outcome, httpx.Response):
            retry_after = seconds_of(outcome.headers.get("retry-after"))
            problem = problem_of(outcome.status_code, outcome.content, retry_after)
            if outcome.status_code not in _AGAIN:
                raise problem
            cause = None
        else:
            retry_after, cause = None, outcome
            reason = str(outcome) or type(outcome).__name__
            problem = UnreachableError(f"no answer from {self.base_url} in {attempt} attempts: {reason}")
        pause = self.retry.pause(attempt, retry_after)
        if time.monotonic() + pause >= give_up:
            raise problem from cause
        await asyncio.sleep(pause)


def seconds_of(retry_after: str | None) -> float | None:
    """Retry-After in seconds, from either of its forms (RFC 9110, 10.2.3); None when absent or unreadable."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
