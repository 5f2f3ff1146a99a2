"""`python -m gateway` as a process of its own."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from infra.settings import Settings
from infra.tokens import mint
from tests.gateway.people import new_pick, slug

REPOSITORY = Path(__file__).parents[2]


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The variables of a gateway on these servers."""
    known = ("kafka", "database", "valkey", "s3", "secrets", "replication")
    own = {f"PICKLY_{name.upper()}": str(getattr(settings, name)) for name in known}
    return {**os.environ, **own, "PYTHONPATH": str(REPOSITORY), "PICKLY_PROCESS": "gateway", **more}


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def started(settings: Settings, port: int, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process; killed at the end if it still runs."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"],
            env=environment(settings, PICKLY_GATEWAY_PORT=str(port), **more),
            stderr=errors,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def answers(client: httpx.AsyncClient, path: str, status: int, *, holding: str = "") -> httpx.Response:
    """The first answer with this status and text."""
    async with asyncio.timeout(60):
        while True:
            try:
                answer = await client.get(path)
                if answer.status_code == status and holding in answer.text:
                    return answer
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


@pytest.fixture
async def client() -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """A client and the port it talks to."""
    port = free_port()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client, port


async def test_it_serves_is_ready_and_stops_when_told(
    servers: Settings, client: tuple[httpx.AsyncClient, int], tmp_path: Path
) -> None:
    http, port = client
    with started(servers, port, tmp_path / "log", PICKLY_LOG_LEVEL="DEBUG") as process:
        ready = await answers(http, "/readyz", 200)
        token = mint("ana", settings=servers)
        headers = {"authorization": f"Bearer {token}"}
        written = await http.post("/v1/picks", json=new_pick(), headers=headers)
        metrics = await http.get("/metrics")
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 30)

    assert ready.json() == {"ok": True, "reasons": {}}
    assert written.status_code == 202
    assert "pickly_http_seconds_bucket" in metrics.text
    assert code == 0
    log = (tmp_path / "log").read_text()
    assert '"process": "gateway"' in log
    assert token not in log


async def test_a_stop_ends_what_waits_with_an_honest_answer(
    servers: Settings, client: tuple[httpx.AsyncClient, int], tmp_path: Path
) -> None:
    http, port = client
    with started(servers, port, tmp_path / "log", PICKLY_GATEWAY_SEE_SECONDS="60") as process:
        await answers(http, "/readyz", 200)
        after = {"pickly-after": str(uuid4())}
        waiting = asyncio.create_task(http.get("/v1/feeds/latest", headers=after))
        await answers(http, "/metrics", 200, holding="pickly_waiting_requests 1.0")
        process.send_signal(signal.SIGTERM)
        answer = await waiting
        code = await asyncio.to_thread(process.wait, 30)

    assert (answer.status_code, slug(answer)) == (503, "not-yet-visible")
    assert code == 0


async def test_it_starts_without_any_server_behind_it_and_says_what_is_missing(
    servers: Settings, client: tuple[httpx.AsyncClient, int], tmp_path: Path
) -> None:
    http, port = client
    nowhere = servers.model_copy(
        update={
            "kafka": "127.0.0.1:1",
            "database": "postgresql://127.0.0.1:1/pickly",
            "valkey": "redis://127.0.0.1:1/0",
        }
    )
    with started(nowhere, port, tmp_path / "log") as process:
        alive = await answers(http, "/healthz", 200)
        ready = await http.get("/readyz")
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, 30)

    assert alive.json()["ok"] is True
    assert ready.status_code == 503
    assert {"sender", "database"} <= set(ready.json()["reasons"])
    assert code == 0


async def test_a_busy_port_is_an_error_that_says_so(servers: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with started(servers, taken.getsockname()[1], tmp_path / "log") as process:
            code = await asyncio.to_thread(process.wait, 60)

    assert code == 1
    assert "PICKLY_GATEWAY_PORT: cannot listen" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("valkey", None, "secret valkey: {path} cannot be read"),
        ("pg_gateway", None, "secret pg_gateway: {path} cannot be read"),
        ("token_ring.json", "{}", "{path} is not a JWK set of ES256 keys"),
    ],
)
async def test_with_a_secret_missing_or_a_broken_key_ring_it_does_not_start(
    servers: Settings, tmp_path: Path, file: str, content: str | None, complaint: str
) -> None:
    secrets = Path(shutil.copytree(servers.secrets, tmp_path / "secrets"))
    (secrets / file).unlink()
    if content is not None:
        (secrets / file).write_text(content)

    with started(servers.model_copy(update={"secrets": secrets}), free_port(), tmp_path / "log") as process:
        code = await asyncio.to_thread(process.wait, 60)

    assert code == 1
    assert complaint.format(path=secrets / file) in (tmp_path / "log").read_text()


async def test_elsewhere_than_on_one_machine_it_starts_without_a_key_ring(
    servers: Settings, client: tuple[httpx.AsyncClient, int], tmp_path: Path
) -> None:
    http, port = client
    ignored = shutil.ignore_patterns("token_*")
    secrets = Path(shutil.copytree(servers.secrets, tmp_path / "secrets", ignore=ignored))
    with started(servers.model_copy(update={"secrets": secrets}), port, tmp_path / "log"):
        await answers(http, "/readyz", 200)
        headers = {"authorization": f"Bearer {mint('ana', settings=servers)}"}
        written = await http.post("/v1/picks", json=new_pick(), headers=headers)

    assert (written.status_code, slug(written)) == (401, "unauthorised")
