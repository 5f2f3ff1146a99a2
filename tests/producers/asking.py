"""What the callers of a sender are told."""

import asyncio
import time

from producers.errors import SendError
from producers.send import Sender
from schemas.topics import PICK_COMMANDS, Topic

PATIENCE = 60.0


async def until_sent(sender: Sender, topic: Topic, partition: int) -> None:
    """Send until it works."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            await sender.send_record(topic, partition, "probe", b"{}", {"ce_id": "probe"})
            return
        except SendError:
            assert time.monotonic() < end, sender.why_not_ready()
            await asyncio.sleep(0.05)


async def outcome(
    sender: Sender, identity: str, partition: int = 0, topic: Topic = PICK_COMMANDS
) -> type[Exception] | tuple[int, int]:
    """What one caller is told."""
    try:
        return await sender.send_record(topic, partition, "key", b"{}", {"ce_id": identity})
    except SendError as error:
        return type(error)
