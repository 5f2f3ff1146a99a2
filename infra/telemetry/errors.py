"""Errors in words that may be logged, kept and shown.

The text of a foreign exception may quote what somebody wrote: PostgreSQL quotes rows, asyncpg arguments, a
handler's ValueError anything. So of an error its type is told, and of the rest only what cannot hold input.
"""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
from aiokafka.errors import KafkaError
from redis import exceptions as valkey

ROOT: Final = Path(__file__).parents[2]
OURS: Final = ("infra", "producers", "gateway")
"""Packages whose exceptions have texts of our own; what is raised for an input may not quote it."""
PROTOCOLS: Final = (KafkaError, valkey.ConnectionError, valkey.TimeoutError)
"""Their texts speak of brokers, topics, addresses and codes."""
LONGEST: Final = 200
FRAMES: Final = 20
TYPE_NAME: Final = re.compile(r"(?:[A-Z][a-z]{1,30}){1,6}", re.ASCII)


def describe(error: BaseException) -> str:
    """Type and harmless details in one printable line of at most 200 characters."""
    details = " ".join(detail for detail in _details(error) if detail)
    text = f"{type(error).__name__}: {details}" if details else type(error).__name__
    return "".join(char if char.isprintable() else "?" for char in text[:LONGEST])


def _details(error: BaseException) -> Iterator[str]:
    if isinstance(error, asyncpg.PostgresError):
        yield error.sqlstate or ""
        for name in ("schema_name", "table_name", "column_name", "constraint_name"):
            yield getattr(error, name, None) or ""
    elif isinstance(error, PROTOCOLS) or type(error).__module__.partition(".")[0] in OURS:
        yield str(error)
    elif isinstance(error, OSError) and error.errno is not None:
        yield error.strerror or ""


def chain(error: BaseException) -> list[dict[str, object]]:
    """The error and those that led to it, with the places of the last frames, for a log line."""
    told: list[dict[str, object]] = []
    link: BaseException | None = error
    while link is not None and len(told) < FRAMES:
        frames = traceback.extract_tb(link.__traceback__)[-FRAMES:]
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        told.append({"error": describe(link), "frames": places})
        if isinstance(link, BaseExceptionGroup):
            told += [inner for each in link.exceptions for inner in chain(each)]
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return told


def raised_at(error: BaseException) -> str:
    """Where in our code it was raised: the last file and line of this repository."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _ours(frame.filename)]
    return f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].lineno}" if frames else "elsewhere"


def _ours(file: str) -> bool:
    return Path(file).is_relative_to(ROOT) and "site-packages" not in file


def type_name(text: str) -> str:
    """What claims to be a message's type, if it looks like one: letters in CapWords, nothing else."""
    return text if TYPE_NAME.fullmatch(text) else f"({len(text)} characters that are no type's name)"
