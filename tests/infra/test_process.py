"""What every process does: answer its probes, stop when asked, never hang."""

import asyncio
import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 30.0
BEGIN = """
import sys, asyncio, time
from infra.process import Process, run
async def main(process: Process) -> None:
"""
END = "\nsys.exit(run(main, 1.0))\n"


@pytest.fixture
def port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def running(body: str, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process whose `main` is `body`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        BEGIN + "\n".join(f"    {line}" for line in body.splitlines()) + END,
        cwd=REPOSITORY,
        env=os.environ | {"PICKLY_HTTP_PORT": str(port), "PICKLY_PROCESS": "test"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Exit code and log."""
    _, log = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode, log.decode()


async def get(port: int, path: str) -> tuple[int, str]:
    """One request, repeated until the process listens."""

    def ask() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await asyncio.to_thread(ask)
            except OSError:
                await asyncio.sleep(0.05)


async def test_probes_answer_with_the_reasons_of_failing_checks(port: int) -> None:
    body = """
process.alive("loop", lambda: None)
process.ready("kafka", lambda: "no broker answers")
process.ready("broken", lambda: 1 / 0)
await process.stopping.wait()
"""
    async with running(body, port) as process:
        assert await get(port, "/healthz") == (200, json.dumps({"ok": True, "reasons": {}}))
        status, answer = await get(port, "/readyz")
        assert status == 503
        assert json.loads(answer)["reasons"] == {
            "kafka": "no broker answers",
            "broken": "the check itself failed (ZeroDivisionError)",
        }
        assert (await get(port, "/nothing"))[0] == 404
        assert "process_cpu_seconds_total" in (await get(port, "/metrics"))[1]
        process.send_signal(signal.SIGTERM)
        assert (await ended(process))[0] == 0


async def test_a_process_that_is_not_alive_is_not_ready_either(port: int) -> None:
    body = 'process.alive("loop", lambda: "hangs for 61 s")\nawait process.stopping.wait()'
    async with running(body, port):
        assert (await get(port, "/healthz"))[0] == 503
        assert (await get(port, "/readyz"))[0] == 503


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_gracefully_and_unready_meanwhile(port: int, number: int) -> None:
    body = "await process.pause(1000)\nawait asyncio.sleep(0.7)"
    async with running(body, port) as process:
        assert (await get(port, "/readyz"))[0] == 200
        process.send_signal(number)
        await asyncio.sleep(0.1)
        status, answer = await get(port, "/readyz")
        assert (status, json.loads(answer)["reasons"]) == (503, {"process": "it is stopping"})
        code, log = await ended(process)

    assert code == 0
    assert [json.loads(line)["event"] for line in log.splitlines()][-1] == "stopped"


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.sleep(1000)",
        "await process.stopping.wait(); time.sleep(1000)",
        "try:\n    await asyncio.sleep(1000)\nfinally:\n    await asyncio.sleep(1000)",
    ],
    ids=["deaf", "blocked", "stubborn"],
)
async def test_a_process_that_does_not_stop_in_time_is_ended(port: int, body: str) -> None:
    async with running(body, port) as process:
        await get(port, "/healthz")
        process.send_signal(signal.SIGTERM)
        code, log = await ended(process)

    assert code == 1
    assert "did not stop in time" in log


async def test_an_error_ends_the_process_and_is_logged_without_local_variables(port: int) -> None:
    async with running("password = 'canary'\nraise ValueError('no')", port) as process:
        code, log = await ended(process)

    assert code == 1
    assert "ended by an error" in log
    assert "canary" not in log


async def test_a_main_that_returns_ends_the_process_well(port: int) -> None:
    async with running("await asyncio.sleep(0)", port) as process:
        assert (await ended(process))[0] == 0


async def test_a_busy_port_is_an_error_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        busy = holder.getsockname()[1]
        async with running("await asyncio.sleep(0)", busy) as process:
            code, log = await ended(process)

    assert code == 1
    assert "PICKLY_HTTP_PORT" in log
    assert str(busy) in log


async def test_port_zero_means_no_probes() -> None:
    async with running("await process.pause(0.01)", 0) as process:
        assert (await ended(process))[0] == 0


async def test_an_error_nobody_awaited_is_told_without_its_text(port: int) -> None:
    body = """
import gc
asyncio.get_running_loop().create_future().set_exception(ValueError("c4n4ry"))
gc.collect()
"""
    async with running(body, port) as process:
        code, log = await ended(process)

    [line] = [json.loads(line) for line in log.splitlines() if "nobody awaited" in line]
    assert code == 0
    assert line["exception"][0]["error"] == "ValueError"
    assert "c4n4ry" not in log
