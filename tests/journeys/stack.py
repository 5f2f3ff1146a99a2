"""The whole platform for journeys: real servers and every process of ours, each of which can be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

READY_WITHIN = 90.0
PARTS = {
    "relay": ("producers.relay",),
    "clock": ("producers.clock",),
    "curation": ("consumers", "curation"),
    "social": ("consumers", "social"),
    "identity": (
        *("consumers", "auth", "auth_refresh"),
        *("read_accounts", "read_factors", "read_keys", "read_sessions"),
    ),
    "read_picks": ("consumers", "read_picks"),
    "read_things": ("consumers", "read_things"),
    "gateway": ("gateway",),
}
EXTRA = {"other_gateway": ("gateway",)}
"""What tests start beside the rest."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(condition: Callable[[], bool], what: str, seconds: float = READY_WITHIN) -> None:
    """Wait for a condition; the deadline is generous and only there to end a test that hangs."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


@dataclass
class Stack:
    """Processes of ours on servers that are already running. One group is one process."""

    env: dict[str, str]
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.address("gateway")

    def address(self, name: str) -> str:
        """Where a part listens."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def run(self, *module: str) -> None:
        """Run a one-shot to its end."""
        subprocess.run([sys.executable, "-m", *module], env=self._env("once", 0), check=True, timeout=300)

    def start_everything(self) -> None:
        """Make schemas and topics, then start all parts."""
        self.run("infra.ops.migrate")
        self.run("infra.ops.topics", "apply")
        self.start(*PARTS)

    def start(self, *names: str) -> None:
        """Start the parts, and wait until each says that it is ready."""
        for name in names:
            self.ports.setdefault(name, free_port())
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", *(PARTS | EXTRA)[name]],
                    env=self._env(name, self.ports[name]),
                    stdout=log,
                    stderr=log,
                )
        for name in names:
            until(lambda name=name: self.ready(name), f"{name} ready")  # type: ignore[misc]  # bound at once

    def ready(self, name: str) -> bool:
        """Whether the part answers /readyz; raises when its process ended."""
        if (code := self.processes[name].poll()) is not None:
            tail = (self.folder / f"{name}.log").read_text()[-3000:]
            raise AssertionError(f"{name} ended with {code}:\n{tail}")
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, *names: str) -> None:
        """SIGKILL: no chance to say goodbye."""
        for name in names:
            process = self.processes.pop(name)
            process.kill()
            process.wait()

    def stop(self) -> None:
        """SIGTERM to all, and SIGKILL to who does not listen."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def _env(self, name: str, port: int) -> dict[str, str]:
        own = {"PICKLY_PROCESS": name, "PICKLY_LOG_LEVEL": "WARNING", "PYTHONPATH": str(Path.cwd())}
        own["PICKLY_GATEWAY_PORT" if name.endswith("gateway") else "PICKLY_HTTP_PORT"] = str(port)
        return os.environ | self.env | own
