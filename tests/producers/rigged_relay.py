"""`python -m tests.producers.rigged_relay POINT SIGNAL [--target PID] [--unfenced]`: the relay with a fault.

The first time it comes to POINT with a page in its hands, it sends SIGNAL (STOP, KILL) to itself or to PID.
Points: `read` (nothing sent yet), `sent` (not committed yet), `committed` (not deleted yet), `settled`.
With --unfenced its producer has no transactional id: the broken control that the checks must notice.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from infra.process import run
from producers import relay, transactions
from producers.outbox import Outbox, Row
from producers.transactions import Transactions

POINTS = ("read", "sent", "committed", "settled")


class Fault:
    """Strikes once, at one point."""

    def __init__(self, point: str, number: int, target: int) -> None:
        self._left = point
        self._number = number
        self._target = target

    def at(self, point: str) -> None:
        """The relay has come to `point`."""
        if point == self._left:
            self._left = ""
            os.kill(self._target, self._number)


class UnfencedProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka is untyped
    """Sends at once and fences nobody; takes the options of the real one."""

    def __init__(self, **options: object) -> None:
        for name in ("transactional_id", "transaction_timeout_ms"):
            options.pop(name)
        super().__init__(**options)

    async def begin_transaction(self) -> None:
        """There is none."""

    async def commit_transaction(self) -> None:
        """There is none."""


def rig(fault: Fault) -> None:
    """Lead the relay past the fault."""
    page, settle = Outbox.page, Outbox.settle
    publish, commit = Transactions.publish, AIOKafkaProducer.commit_transaction

    async def rigged_page(self: Outbox) -> list[Row]:
        rows = await page(self)
        if rows:
            fault.at("read")
        return rows

    async def rigged_commit(self: AIOKafkaProducer) -> None:
        fault.at("sent")
        await commit(self)

    async def rigged_publish(self: Transactions, rows: Sequence[Row]) -> list[int]:
        offsets = await publish(self, rows)
        fault.at("committed")
        return offsets

    async def rigged_settle(self: Outbox, rows: Sequence[Row], offsets: Sequence[int]) -> None:
        await settle(self, rows, offsets)
        fault.at("settled")

    for owner, name, function in (
        (Outbox, "page", rigged_page),
        (Outbox, "settle", rigged_settle),
        (Transactions, "publish", rigged_publish),
        (AIOKafkaProducer, "commit_transaction", rigged_commit),
    ):
        setattr(owner, name, function)


def main() -> int:
    """Run the relay with what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("point", choices=POINTS)
    parser.add_argument("signal", choices=("STOP", "KILL"))
    parser.add_argument("--target", type=int, default=os.getpid())
    parser.add_argument("--unfenced", action="store_true")
    given = parser.parse_args()
    rig(Fault(given.point, signal.Signals[f"SIG{given.signal}"], given.target))
    if given.unfenced:
        vars(transactions)["AIOKafkaProducer"] = UnfencedProducer
    return run(relay.main)


if __name__ == "__main__":
    sys.exit(main())
