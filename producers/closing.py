"""Ending an aiokafka producer within a bound, whatever state it is in."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed

FLUSH_SECONDS: Final = 1.0


async def close(producer: AIOKafkaProducer) -> None:
    """Flush for a moment, then let go: `stop` alone waits for ever for a broker that is away.

    Every batch gets its answer, and no task survives that would deliver what its caller knows as lost.
    """
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await producer.stop()
    except Exception:  # whatever ails a producer that is given up
        await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    sender = producer._sender.sender_task
    producer._message_accumulator.fail_all(ProducerClosed())
    if sender is not None:
        sender.cancel()
    ends = {asyncio.ensure_future(producer.client.close()), *({sender} if sender else ())}
    done, _ = await asyncio.wait(ends, timeout=FLUSH_SECONDS)
    for task in done:
        if not task.cancelled():
            task.exception()  # seen, so that nobody logs it as never retrieved
