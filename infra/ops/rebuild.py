"""Builds a read model anew from the log, beside the live one, compares, swaps: `python -m infra.ops.rebuild`.

As role `migrate` for the schemas and the swap, as the projection's own role for the building.
"""

import asyncio
import json
import signal
from collections.abc import Coroutine, Sequence
from typing import Annotated, Any, Final

import asyncpg
import typer

from infra.console import Console
from infra.ops.migrations_files import MigrationError
from infra.ops.rebuild_report import as_json, as_text
from infra.ops.rebuild_run import Report, rebuild
from infra.ops.rebuild_schema import RebuildError, alone, drop_old
from infra.ops.rebuild_shadow import BuildError
from infra.ops.topic_broker import BrokerError
from infra.roles import OLD_SUFFIX, PROJECTIONS, READ_PREFIX
from infra.settings import SecretMissingError, Settings
from infra.settings import settings as process_settings

ALL: Final = "all"
TROUBLES: Final = (
    RebuildError,
    BuildError,
    BrokerError,
    MigrationError,
    SecretMissingError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)


def main(
    projection: Annotated[str, typer.Argument(help=f"{', '.join(PROJECTIONS)} or {ALL}")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build and compare only; exit 1 if they differ.")
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop-old", help="Only drop the one that a rebuild replaced.")
    ] = False,
    for_programs: Annotated[bool, typer.Option("--json", help="One line of JSON at the end.")] = False,
) -> None:
    """Build a read model anew from the log, compare it with the live one, and put it in its place."""
    names = _names(projection)
    console = Console()
    try:
        if drop:
            for line in _run(_drop(process_settings(), names)):
                typer.echo(line)
            return
        reports = _run(_rebuild(process_settings(), names, dry_run, None if for_programs else console))
    except TROUBLES as trouble:
        typer.echo(f"rebuild: {trouble}", err=True)
        raise typer.Exit(1) from None
    except (asyncio.CancelledError, KeyboardInterrupt):
        typer.echo("rebuild: interrupted; the live read model is as it was", err=True)
        raise typer.Exit(130) from None
    if for_programs:
        typer.echo(json.dumps(as_json(reports)))
    if dry_run and not all(report.equal for report in reports):
        raise typer.Exit(1)


def _names(projection: str) -> Sequence[str]:
    """The projections that are meant; `picks` is `read_picks`."""
    if projection == ALL:
        return PROJECTIONS
    name = READ_PREFIX + projection.removeprefix(READ_PREFIX)
    if name not in PROJECTIONS:
        raise typer.BadParameter(
            f"{projection!r} is no projection; there are {', '.join(PROJECTIONS)} and {ALL}"
        )
    return (name,)


async def _rebuild(
    config: Settings, names: Sequence[str], dry_run: bool, console: Console | None
) -> list[Report]:
    reports = []
    for name in names:
        reports.append(
            await rebuild(config, name, dry_run=dry_run, tell=console.progress if console else _quiet)
        )
        if console:
            console.say(as_text(reports[-1]))
    return reports


def _quiet(_: str) -> None:
    pass


async def _drop(config: Settings, names: Sequence[str]) -> list[str]:
    lines = []
    for name in names:
        async with alone(config, name) as db:
            dropped = await drop_old(db, name)
        lines.append(f"{name}{OLD_SUFFIX} dropped" if dropped else f"there is no {name}{OLD_SUFFIX}")
    return lines


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it; SIGTERM ends it like Ctrl-C, and it clears up."""

    async def stoppable() -> Any:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    return asyncio.run(stoppable())


if __name__ == "__main__":
    typer.run(main)
