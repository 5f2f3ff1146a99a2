"""How far every group is behind, and since when: `python -m infra.ops.lag [--json] [--watch]`. Reads only."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from infra.ops.complaints import complaining
from infra.ops.database import DatabaseError
from infra.ops.lag_json import as_json
from infra.ops.lag_model import Report
from infra.ops.lag_reading import look
from infra.ops.lag_table import screen
from infra.ops.topic_broker import BrokerError
from infra.settings import Settings, settings

EVERY: Final = 2.0
"""Seconds between looks with --watch."""


def main(
    json: Annotated[bool, typer.Option("--json", help="the whole report as one line of JSON")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="look again every 2 seconds; Ctrl-C ends it")
    ] = False,
    partitions: Annotated[bool, typer.Option("--partitions", help="a row for each partition too")] = False,
) -> None:
    """Per group and topic: records behind, since when the oldest waits, dead letters, what stands still."""
    try:
        with complaining("lag", BrokerError, DatabaseError):
            asyncio.run(_watch(json=json, partitions=partitions) if watch else _once(json, partitions))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _once(json: bool, partitions: bool) -> None:
    report = await look(settings())
    if json:
        _print_json(report)
    else:
        Console().print(screen(report, partitions=partitions))


async def _watch(*, json: bool, partitions: bool) -> None:
    if json:
        await _again(settings(), _print_json, lambda trouble: typer.echo(trouble, err=True))
        return
    with Live(console=Console(), auto_refresh=False) as live:
        await _again(
            settings(),
            lambda report: live.update(screen(report, partitions=partitions), refresh=True),
            lambda trouble: live.update(Text(trouble), refresh=True),
        )


async def _again(where: Settings, show: Callable[[Report], None], tell: Callable[[str], None]) -> None:
    """For ever; who watches wants to see the end of an outage."""
    while True:
        try:
            show(await look(where))
        except (BrokerError, DatabaseError) as error:
            tell(f"lag: {error}")
        await asyncio.sleep(EVERY)


def _print_json(report: Report) -> None:
    typer.echo(orjson.dumps(as_json(report)))


if __name__ == "__main__":
    typer.run(main)
