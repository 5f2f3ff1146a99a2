"""One platform for all of these tests, since it takes long to start; each leaves it whole."""

from collections.abc import Iterator

import pytest

from tests.faults.load import Load
from tests.faults.proxy import FAIR
from tests.faults.world import World, running


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("faults")) as world:
        yield world


@pytest.fixture
def world(started: World) -> Iterator[World]:
    """The platform; whatever a test left broken is mended afterwards."""
    yield started
    for proxy in started.proxies.values():
        proxy.weather = FAIR
    for name in ("kafka", "postgres", "valkey"):
        if started.servers.runs(name):
            started.servers.resume(name)
    started.servers.start()
    gone = [name for name in started.stack.processes if name not in started.pids()]
    started.stack.start(*gone)


@pytest.fixture
def load(world: World) -> Load:
    """People at work on it, as soon as a test says so."""
    return Load(world)
