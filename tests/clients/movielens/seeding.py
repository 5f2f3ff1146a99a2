"""A seed in a process of its own, for a test to kill: give it the address and the wheel."""

import asyncio
import sys
from pathlib import Path

from rich.console import Console

from clients.movielens.accounts import Accounts
from clients.movielens.ratings import Rating, read_ratings
from clients.movielens.seed import Seed
from clients.movielens.tally import Tally
from clients.python import Pickly
from clients.python.fast import FastTransport
from tests.clients.conftest import SOON
from tests.clients.movielens.conftest import mint


async def seed_at(address: str, ratings: list[Rating], console: Console) -> Tally:
    """Seed the platform there with few requests at once."""
    async with Pickly(address, transport=FastTransport(), retry=SOON) as pickly:
        return await Seed(ratings, Accounts(pickly, mint), console, at_once=8).run()


if __name__ == "__main__":
    asyncio.run(seed_at(sys.argv[1], read_ratings(Path(sys.argv[2])), Console(stderr=True)))
