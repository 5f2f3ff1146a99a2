"""The whole platform exporting every trace to a collector of the tests, and logging at DEBUG."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from infra.local.servers import Servers, start_servers
from tests.infra.telemetry.receiver import Collector, collecting
from tests.journeys.stack import Stack


class Watched(Stack):
    """A stack that tells everything."""

    def answer(self, *words: str) -> str:
        """What `./pickly WORDS` prints."""
        command = [sys.executable, "-m", f"infra.ops.{words[0]}", *words[1:]]
        done = subprocess.run(command, env=self._env("once", 0), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def _env(self, name: str, port: int) -> dict[str, str]:
        return super()._env(name, port) | {"PICKLY_LOG_LEVEL": "DEBUG"}


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers of our own: what these tests put on the topics would disturb others."""
    started = start_servers(tmp_path_factory.mktemp("servers"))
    yield started
    started.stop()


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture(scope="package")
def stack(
    servers: Servers, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """Everything, running; every trace is sampled."""
    telling = {"PICKLY_OTLP_ENDPOINT": collector.endpoint, "PICKLY_TRACE_RATIO": "1"}
    made = Watched(servers.env | telling, tmp_path_factory.mktemp("logs"))
    made.start_everything()
    yield made
    made.stop()
