"""The small data set, and clients for its people."""

from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from clients.movielens.accounts import Accounts
from clients.python import Pickly
from clients.python.fast import FastTransport
from tests.clients.conftest import SOON
from tests.clients.movielens.data import make_wheel


def mint(handle: str) -> str:
    """A token as the platform of the tests takes it."""
    return f"token-of-{handle}"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with the small data set."""
    return make_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def console() -> Console:
    """What is shown, as text."""
    return Console(file=StringIO(), width=200)


@pytest.fixture
async def pickly(address: str) -> AsyncIterator[Pickly]:
    """A client of the platform, without an account."""
    async with Pickly(address, transport=FastTransport(), retry=SOON) as pickly:
        yield pickly


@pytest.fixture
def accounts(pickly: Pickly) -> Accounts:
    """Clients of all people of the data set."""
    return Accounts(pickly, mint)
