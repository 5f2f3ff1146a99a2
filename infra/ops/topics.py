"""Make the broker match the topic declaration: `python -m infra.ops.topics apply|show|diff`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from infra.ops.topic_broker import BrokerError, NotYetError, admin_of, carry_out, end_offsets, read
from infra.ops.topic_plan import Actual, Plan, plan
from infra.settings import Settings
from infra.settings import settings as process_settings
from schemas.topics import TOPICS, Topic

if TYPE_CHECKING:
    from aiokafka.admin import AIOKafkaAdminClient

BROKER_STARTS_WITHIN: Final = 60.0
PAUSE: Final = 0.3
PATIENT_TRIES: Final = 3
T = TypeVar("T")

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)


class RefusedError(RuntimeError):
    """The broker cannot be made to match without losing what is promised; nothing was changed."""


async def apply(
    settings: Settings, declared: Mapping[str, Topic] = TOPICS, *, within: float = BROKER_STARTS_WITHIN
) -> list[str]:
    """Create what is missing, set what differs; returns a line for each. Waits for a broker that is starting.

    Raises RefusedError before anything is changed, BrokerError when it does not match `within` seconds.
    """
    done: dict[str, None] = {}

    async def step(admin: "AIOKafkaAdminClient") -> None:
        to_do = plan(declared, await read(admin, declared), settings.replication)
        if to_do.refused:
            raise RefusedError("\n".join(to_do.refused))
        if not to_do.matches:
            await carry_out(admin, to_do, settings.replication)
            done.update(dict.fromkeys(lines_of(to_do)))
            raise NotYetError("the broker took the changes, but does not show them yet")

    await _patiently(settings, step, within)
    return list(done)


async def compare(
    settings: Settings, declared: Mapping[str, Topic] = TOPICS, *, within: float = BROKER_STARTS_WITHIN
) -> tuple[Plan, dict[str, Actual]]:
    """What `apply` would do, and what the broker has. Raises BrokerError when it does not answer."""
    actual = await _patiently(settings, lambda admin: read(admin, declared), within)
    return plan(declared, actual, settings.replication), actual


async def _patiently(
    settings: Settings, work: Callable[["AIOKafkaAdminClient"], Awaitable[T]], within: float
) -> T:
    deadline = asyncio.get_running_loop().time() + within
    attempt = 0
    while True:
        try:
            async with admin_of(settings.kafka) as admin:
                return await work(admin)
        except NotYetError as error:
            if asyncio.get_running_loop().time() > deadline:
                raise BrokerError(f"{error}; gave up after {within:.0f} s") from error
            if attempt == PATIENT_TRIES:
                typer.echo(f"waiting: {error}", err=True)
            attempt += 1
            await asyncio.sleep(PAUSE)


def lines_of(to_do: Plan) -> list[str]:
    """What there is to do, one line a topic and setting."""
    created = [f"{topic.name}: create with {topic.partitions} partitions" for topic in to_do.create]
    configured = [f"{topic.name}: {each}" for topic, changes in to_do.configure.items() for each in changes]
    return created + configured


def kept(topic: Topic) -> str:
    """How long records stay, in words."""
    if topic.keep is None:
        return "newest per key"
    return f"{topic.keep.days} days" if topic.keep >= timedelta(days=1) else str(topic.keep)


def table_of(actual: Mapping[str, Actual], ends: Mapping[str, int]) -> Table:
    """The declared topics with what the broker holds of them, then those it has beside."""
    table = Table("topic", "kind", "owner", "written by", "read by", "partitions", "kept", "end offsets")
    for name, topic in TOPICS.items():
        there = actual.get(name)
        table.add_row(
            name,
            topic.kind,
            topic.owner,
            ", ".join(topic.writers or (topic.owner,)),
            ", ".join(topic.readers),
            str(there.partitions) if there else "missing",
            kept(topic),
            f"{ends.get(name, 0):,}",
        )
    for name, there in sorted(actual.items()):
        if name not in TOPICS and not name.startswith("__"):
            table.add_row(name, "undeclared", "", "", "", str(there.partitions), "", f"{ends.get(name, 0):,}")
    return table


@app.command("apply")
def apply_command() -> None:
    """Create missing topics and set what differs. Refuses what would move keys; never deletes."""
    done = _run(apply(process_settings()))
    for line in done or [f"nothing to do: the broker matches all {len(TOPICS)} topics"]:
        typer.echo(line)


@app.command("diff")
def diff_command() -> None:
    """Say what `apply` would do; exit code 1 when the broker differs from the declaration."""
    to_do, _ = _run(compare(process_settings()))
    for line in [*lines_of(to_do), *(f"refused: {text}" for text in to_do.refused)]:
        typer.echo(line)
    for name in to_do.unknown:
        typer.echo(f"{name}: not declared, left alone")
    if not to_do.matches:
        raise typer.Exit(1)
    typer.echo(f"the broker matches all {len(TOPICS)} topics")


@app.command("show")
def show_command() -> None:
    """Show every topic: what it is for, who writes and reads it, and how much was written."""

    async def gather() -> Table:
        _, actual = await compare(process_settings())
        return table_of(actual, await end_offsets(process_settings().kafka, actual))

    Console().print(_run(gather()))


def _run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    logging.getLogger("aiokafka").setLevel(
        logging.CRITICAL
    )  # it tells every attempt, and we tell the outcome
    try:
        return asyncio.run(main())
    except (BrokerError, RefusedError) as error:
        typer.echo(f"topics: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
