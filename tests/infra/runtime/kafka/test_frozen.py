"""An owner that is frozen beyond its session: a successor finishes its work, and thawed it can do no harm."""

import asyncio
import re
import signal
import socket
from pathlib import Path

import httpx

from tests.infra.runtime.kafka.load import Load
from tests.infra.runtime.kafka.member import Start, Task, ended, marked
from tests.infra.runtime.kafka.stage import Stage, deciding, group_name, named, until
from tests.infra.runtime.widgets import OWNER, contract


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def metric(task: Task, name: str) -> float:
    """The sum of a counter of the member."""
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"http://127.0.0.1:{task.http_port}/metrics")).text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE))


async def freeze(stage: Stage, start: Start, value: str, tmp_path: Path, counter: str) -> float:
    """Freeze a member at work, let a successor take over, thaw the first and let it go on alone.

    Returns a counter of its metrics.
    """
    name = group_name(contract(value, partitions=2))
    c = named(name, partitions=2)
    await stage.make(c.commands)
    load = Load(stage, c, keys=tuple(f"{value}{n}" for n in range(6)))
    task = Task(name, 2, mark=str(tmp_path / value), slow=3.0, http_port=free_port())
    frozen = start(task)
    await load.send(10)
    await load.drained()
    slow = await stage.send(c.Put(key_=f"{value}-last", owner=OWNER, value=value, n=7))
    await marked(task)
    frozen.send_signal(signal.SIGSTOP)
    await load.send(10)
    async with stage.running(deciding(c)):
        await load.drained()

        async def done() -> bool:
            return await stage.numbers(f"{value}-last") == [7]

        await until(done, f"the successor takes over from offset {slow}")
        frozen.send_signal(signal.SIGCONT)
        await load.send(20)
        await load.drained()
        await until(lambda: ready(task), "the thawed member is in its group again")
    await load.send(10)
    await load.drained()
    turned_away = await metric(task, counter)
    frozen.terminate()
    assert await ended(frozen) == 0
    await load.check()
    assert await stage.numbers(f"{value}-last") == [7]
    return turned_away


async def ready(task: Task) -> bool:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{task.http_port}/readyz")).status_code == 200


async def test_a_successor_finishes_what_a_frozen_owner_holds_and_nothing_happens_twice(
    stage: Stage, start: Start, tmp_path: Path
) -> None:
    # frozen in a handler, the server ends its transaction; frozen before it, with records that are no longer
    # its own, the fence does
    inside, before = await asyncio.gather(
        freeze(stage, start, "slow", tmp_path, "pickly_failed_transactions_total"),
        freeze(stage, start, "slow-start", tmp_path, "pickly_fenced_total"),
    )

    assert inside >= 1
    assert before >= 1
