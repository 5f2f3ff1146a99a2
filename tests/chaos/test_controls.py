"""Products that are broken on purpose: the judge must notice each of them, or it proves nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.servers import Servers, start_servers
from tests.chaos.run import chaos
from tests.chaos.runs import controlled
from tests.chaos.tally import Tally


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Kafka, PostgreSQL and Valkey for all controls; each has its own database and empty topics."""
    started = start_servers(tmp_path_factory.mktemp("servers"), s3=False)
    yield started
    started.stop()


@pytest.mark.parametrize(
    ("control", "wrongs"),
    [
        ("no-inbox", {"doubled"}),
        ("commit-before-effect", {"lost"}),
        ("ack-first", {"lost"}),
        ("relay-unfenced", {"tail_wrong"}),
    ],
)
async def test_a_broken_product_is_noticed(
    servers: Servers, tmp_path: Path, control: str, wrongs: set[str]
) -> None:
    outcome = await chaos(controlled(control, seed=1), servers, tmp_path, Tally())

    assert outcome.failed
    assert wrongs <= outcome.verdict.wrongs.keys(), outcome.line
