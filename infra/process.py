"""What every long-running process shares: event loop, logs, graceful stop, HTTP for probes and metrics."""

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
import uvicorn
import uvloop

from infra import logs
from infra.probes import Probes
from infra.settings import Settings, settings
from infra.telemetry.tracing import tracing
from infra.writers import tell_of_resets

STOP_SECONDS: Final = 15.0
GC_THRESHOLD: Final = 50_000
"""New objects before the youngest are looked at; Python's own 700 is a few messages."""

log = structlog.get_logger(__name__)


class Process(Probes):
    """What `main` gets: where it registers its checks, and how it learns that it shall stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = asyncio.Event()
        self.ready("process", lambda: "it is stopping" if self.stopping.is_set() else None)

    async def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the moment when the process shall stop."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return


class _Http(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `run`."""
        yield


Main = Callable[[Process], Awaitable[None]]


def run(main: Main, stop_seconds: float = STOP_SECONDS) -> int:
    """Run `main` to its end and give the exit code: 0, or 1 when it raised (logged).

    SIGTERM and SIGINT set `Process.stopping`; `main` then has `stop_seconds` to return, before the operating
    system process ends with 1 whatever it still does.
    """
    config = settings()
    logs.configure(config.process, config.log_level)
    tracing.start(config)
    listeners = _listen(config)
    watchdog = threading.Timer(stop_seconds, _give_up, (stop_seconds,))
    watchdog.daemon = True
    tell_of_resets()
    collect_seldom()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_supervise(main, listeners, watchdog))
    finally:
        tracing.stop()
        watchdog.cancel()


def collect_seldom() -> None:
    """Look for reference cycles less often: our work makes many objects and few cycles.

    Measured on a projection, 30,000 messages: 15 to 20 % less CPU. What was imported is not looked at again.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)


def _listen(config: Settings) -> list[socket.socket]:
    if config.http_port == 0:
        return []
    try:
        return [socket.create_server((config.http_host, config.http_port))]
    except OSError as error:
        place = f"{config.http_host}:{config.http_port}"
        sys.exit(
            f"PICKLY_HTTP_PORT: cannot listen on {place} ({error.strerror}); set another port, or 0 for none"
        )


async def _supervise(main: Main, listeners: list[socket.socket], watchdog: threading.Timer) -> int:
    process = Process()
    asyncio.get_running_loop().set_exception_handler(_tell)

    def stop() -> None:
        if not process.stopping.is_set():
            process.stopping.set()
            watchdog.start()  # a thread, which nothing in the event loop can hold up
            log.info("stopping")

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    http = _Http(
        uvicorn.Config(
            process, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
    )
    serving = asyncio.create_task(http.serve(sockets=listeners)) if listeners else None
    log.info("started")
    try:
        await main(process)
    except Exception:
        log.exception("ended by an error")
        return 1
    finally:
        stop()
        http.should_exit = True
        if serving is not None:
            await serving
    log.info("stopped")
    return 0


def _tell(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What asyncio logs itself quotes the error; its message alone does not."""
    log.error("nobody awaited an error", what=context["message"], exc_info=context.get("exception"))


def _give_up(seconds: float) -> None:
    log.error("did not stop in time", seconds=seconds)
    os._exit(1)
