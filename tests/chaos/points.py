"""Places in the sequence of the runtime and of the relay at which a process can die or freeze by itself."""

import os
import random
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from producers.outbox import Outbox
from producers.transactions import Transactions
from tests.infra.runtime.kafka import points as runtime

CONSUMER: Final = runtime.POINTS
RELAY: Final[dict[str, tuple[Any, str, bool]]] = {
    "read": (Outbox, "page", False),
    "sent": (AIOKafkaProducer, "commit_transaction", True),
    "settling": (Transactions, "publish", False),
    "settled": (Outbox, "settle", False),
}
POINTS: Final = CONSUMER | RELAY
SIGNALS: Final = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


@dataclass(frozen=True)
class Point:
    """At `name` (one of POINTS), each time with this probability, the process kills or freezes itself."""

    name: str
    action: str
    probability: float

    def __str__(self) -> str:
        return f"{self.name}:{self.action}:{self.probability}"

    @classmethod
    def parse(cls, text: str) -> "Point":
        """`name:action:probability`; raises ValueError."""
        name, action, probability = text.split(":")
        if name not in POINTS or action not in SIGNALS:
            raise ValueError(f"{text}: a point is one of {', '.join(POINTS)}, then {' or '.join(SIGNALS)}")
        return cls(name, action, float(probability))


Function = Callable[..., Coroutine[Any, Any, Any]]


def plant(points: Sequence[Point], seed: str, calm: Path) -> None:
    """Wrap the functions of the points; while the file `calm` exists nothing strikes."""
    chance = random.Random(seed)

    def strike(point: Point) -> None:
        if chance.random() < point.probability and not calm.exists():
            os.kill(os.getpid(), SIGNALS[point.action])

    for point in points:
        owner, name, before = POINTS[point.name]
        setattr(owner, name, _striking(getattr(owner, name), point, strike, before=before))


def _striking(function: Function, point: Point, strike: Callable[[Point], None], *, before: bool) -> Function:
    async def wrapper(*arguments: Any, **named: Any) -> Any:
        if before:
            strike(point)
            return await function(*arguments, **named)
        result = await function(*arguments, **named)
        if result != []:  # an empty page of the outbox is no page
            strike(point)
        return result

    return wrapper
