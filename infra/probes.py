"""Health checks of a process, and the small ASGI application that shows them with the metrics."""

import json
from collections.abc import Callable
from typing import Final

from prometheus_client import make_asgi_app
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

Check = Callable[[], str | None]
"""None while all is well, else the reason why not, in words for an operator."""

_metrics: Final = make_asgi_app()


class Probes:
    """The checks of one process, served as `/healthz` and `/readyz` beside `/metrics`."""

    def __init__(self) -> None:
        self._alive: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def alive(self, name: str, check: Check) -> None:
        """A check that must hold, else the process is better started anew (`/healthz`)."""
        self._alive[name] = check

    def ready(self, name: str, check: Check) -> None:
        """A check that must hold for the process to do its work now (`/readyz`)."""
        self._ready[name] = check

    def why_not_alive(self) -> dict[str, str]:
        """The liveness checks that fail, with their reasons."""
        return _failures(self._alive)

    def why_not_ready(self) -> dict[str, str]:
        """The checks of either kind that fail, with their reasons."""
        return _failures(self._alive) | _failures(self._ready)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request: 200, or 503 with the reasons."""
        if scope["type"] != "http":
            return
        if scope["path"] == "/metrics":
            await _metrics(scope, receive, send)
            return
        report = {"/healthz": self.why_not_alive, "/readyz": self.why_not_ready}.get(scope["path"])
        reasons = report() if report else {}
        status = 404 if report is None else 503 if reasons else 200
        body = json.dumps({"ok": status == 200, "reasons": reasons}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _failures(checks: dict[str, Check]) -> dict[str, str]:
    failures = {}
    for name, check in checks.items():
        try:
            reason = check()
        except Exception as error:  # a broken check must not hide the others
            reason = f"the check itself failed ({type(error).__name__})"
        if reason is not None:
            failures[name] = reason
    return failures
