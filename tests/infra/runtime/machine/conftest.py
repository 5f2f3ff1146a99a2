"""A house for state machines: one database, two groups, points at which they can die."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from infra.settings import Settings
from tests.infra.runtime.machine.house import House


@pytest.fixture(params=[False, True], ids=["one at a time", "in batches"])
def house(home: Settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[House]:
    """Its decider takes puts one at a time or in batches."""
    loop = asyncio.new_event_loop()
    made = loop.run_until_complete(House.open(home, many=request.param))
    made.faults.install(monkeypatch)
    with capture_logs():
        yield made
    loop.run_until_complete(made.close())
    loop.close()
