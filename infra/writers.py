"""What a write on a connection that was reset raises: an OSError, as the libraries over asyncio expect.

uvloop raises RuntimeError ("the handler is closed"), which they take for a defect: aiokafka's coordination
ends for good, and redis-py lets it through to a request. asyncio's own loop says nothing at all.
"""

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

WRITES: Final = ("write", "writelines")
Write = Callable[[asyncio.StreamWriter, Any], None]


def tell_of_resets() -> None:
    """Let every `asyncio.StreamWriter` of this process raise ConnectionResetError there. Once is enough."""
    for name in WRITES:
        write = getattr(asyncio.StreamWriter, name)
        if not hasattr(write, "__wrapped__"):
            setattr(asyncio.StreamWriter, name, _telling(write))


def _telling(write: Write) -> Write:
    @wraps(write)
    def told(writer: asyncio.StreamWriter, data: Any) -> None:
        try:
            write(writer, data)
        except RuntimeError as error:
            if not writer.transport.is_closing():
                raise
            raise ConnectionResetError(str(error)) from error

    return told
