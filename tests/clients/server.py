"""The platform in memory behind real HTTP: Starlette on uvicorn, in a thread that can be stopped."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.clients.platform import Fault, Json, Platform, RefusedError, Seen, account_of, present


class Api:
    """Every route of the contract over a Platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def app(self) -> ASGIApp:
        """The ASGI app, with the faults in front."""
        pick = "/v1/picks/{id}"
        routes = [
            Route("/v1/picks", self.write, methods=["POST"]),
            Route(pick, self.pick, methods=["GET"]),
            Route(pick, self.write, methods=["PATCH", "DELETE"]),
            Route(pick + "/restore", self.write, methods=["POST"]),
            Route(pick + "/reactions/{kind}", self.write, methods=["PUT", "DELETE"]),
            Route("/v1/commands/{id}", self.command),
            Route("/v1/accounts/{account}/picks", self.account_picks),
            Route("/v1/things", self.find_thing),
            Route("/v1/things/{id}", self.thing),
            Route("/v1/things/{id}/picks", self.thing_picks),
            Route("/v1/feeds/latest", self.latest),
        ]
        return Faults(Starlette(routes=routes, exception_handlers={RefusedError: problem}), self.platform)

    async def write(self, request: Request) -> Response:
        """Any write: 202, or with Prefer: wait the pick itself or why not."""
        raw, account = await request.body(), actor(request)
        what = f"{request.method} {request.url.path}"
        command, is_new = self.platform.accept(account, what, request.headers.get("idempotency-key"), raw)
        if is_new:
            body: Json = json.loads(raw) if raw else {}
            if what == "POST /v1/picks":
                self.platform.publish(command, body)
            else:
                pick_id, if_match = request.path_params["id"], request.headers.get("if-match")
                self.platform.change(command, pick_id, body, if_match)
        return self._written(request, command)

    def _written(self, request: Request, command: Json) -> Response:
        location = f"/v1/commands/{command['id']}?body={command['body']}"
        headers = {"pickly-command": command["id"], "location": location}
        if "prefer" not in request.headers or self.platform.polls_until_done:
            told = {"command_id": command["id"], "resource": command["resource"], "status": "pending"}
            return JSONResponse(told, 202, headers)
        if command["status"] == "refused":
            raise RefusedError(409, command["reason"].replace("_", "-"), resource=command["resource"])
        pick = self.platform.picks[command["resource"].rpartition("/")[2]]
        headers |= {"location": command["resource"], "etag": etag_of(pick)}
        return JSONResponse(present(pick), 201 if command["type"] == "POST /v1/picks" else 200, headers)

    async def command(self, request: Request) -> Response:
        """The fate of a command, one poll nearer to done."""
        command = self.platform.commands.get(request.path_params["id"])
        if command is None or command["account"] != actor(request):
            told = {"id": request.path_params["id"], "type": None, "status": "pending"}
            return JSONResponse(told, headers={"retry-after": "1"})
        if request.query_params.get("body", command["body"]) != command["body"]:
            raise RefusedError(422, "key-used-for-another-body")
        command["polls"] += 1
        told = {
            name: command[name] for name in ("id", "type", "status", "reason", "resource") if name in command
        }
        if command["status"] == "done" and command["polls"] < self.platform.polls_until_done:
            return JSONResponse({**told, "status": "pending"}, headers={"retry-after": "0"})
        return JSONResponse(told)

    async def pick(self, request: Request) -> Response:
        """One pick."""
        pick = self.platform.picks.get(request.path_params["id"])
        if pick is None or not self.platform.is_shown(pick):
            raise RefusedError(404, "no-such-pick")
        if request.headers.get("if-none-match") == etag_of(pick):
            return Response(status_code=304)
        return JSONResponse(present(pick), headers={"etag": etag_of(pick)})

    async def account_picks(self, request: Request) -> Response:
        """An account's picks, newest picked_at first."""
        name = request.path_params["account"]
        account = account_of(name[1:]) if name.startswith("@") else name
        picks = [pick for pick in self.platform.shown() if pick["author"]["id"] == account]
        return self._page(
            request, sorted(picks, key=lambda pick: (pick["picked_at"], pick["id"]), reverse=True)
        )

    async def find_thing(self, request: Request) -> Response:
        """The thing of a ref, or none."""
        wanted = request.query_params["ref"]
        return JSONResponse({"items": [thing for thing in self.platform.things() if thing["ref"] == wanted]})

    async def thing(self, request: Request) -> Response:
        """One thing."""
        wanted = request.path_params["id"]
        for thing in self.platform.things():
            if thing["id"] == wanted:
                return JSONResponse(thing, headers={"etag": f'"{thing["pick_count"]}"'})
        raise RefusedError(404, "no-such-thing")

    async def thing_picks(self, request: Request) -> Response:
        """A thing's picks, newest first."""
        wanted = request.path_params["id"]
        return self._newest(
            request, [pick for pick in self.platform.shown() if pick["thing"]["id"] == wanted]
        )

    async def latest(self, request: Request) -> Response:
        """Everybody's picks, newest first."""
        return self._newest(request, self.platform.shown())

    def _newest(self, request: Request, picks: list[Json]) -> Response:
        return self._page(
            request, sorted(picks, key=lambda pick: (pick["published_at"], pick["id"]), reverse=True)
        )

    def _page(self, request: Request, picks: list[Json]) -> Response:
        if self.platform.tamper_list:
            picks = self.platform.tamper_list(request.url.path, picks)
        begin = int(request.query_params.get("cursor", "0"))
        end = begin + int(request.query_params.get("limit", "20"))
        return JSONResponse({"items": picks[begin:end], "next": str(end) if end < len(picks) else None})


class Faults:
    """Writes down every request and does to it what the test planted."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body, path = await request.body(), request.url.path
        self._platform.seen.append(Seen(request.method, path, dict(request.headers), body))

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        fault = self._platform.fault_for(request.method, path)
        if fault is None:
            await self._app(scope, replay, send)
        elif fault.status is not None:
            await JSONResponse(fault.body, fault.status, fault.headers)(scope, receive, send)
        else:
            await self._lose(fault, scope, replay, receive, send)

    async def _lose(self, fault: Fault, scope: Scope, replay: Receive, receive: Receive, send: Send) -> None:
        async def unheard(message: Message) -> None:
            """The answer that nobody gets."""

        await self._app(scope, replay, unheard)
        if fault.hangs:
            while (await receive())["type"] != "http.disconnect":
                pass
        # Fewer bytes than announced: uvicorn closes the connection.
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"99")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


def actor(request: Request) -> str:
    """The account of the token; a test's tokens are `token-of-<handle>`."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind != "Bearer" or not token.startswith("token-of-"):
        raise RefusedError(401, "no-valid-token")
    return account_of(token.removeprefix("token-of-"))


def etag_of(pick: Json) -> str:
    """Version and the rest, as the contract wants it."""
    return f'"{pick["version"]}-{len(pick["reactions"])}"'


async def problem(request: Request, error: Exception) -> Response:
    """RFC 9457."""
    assert isinstance(error, RefusedError)
    return JSONResponse(error.body, error.status, media_type="application/problem+json")


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(platform: Platform, port: int) -> Iterator[str]:
    """Serve the platform on a port for as long as the block runs; gives the address."""
    config = uvicorn.Config(
        Api(platform).app(), host="127.0.0.1", port=port, log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
