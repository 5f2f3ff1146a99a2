"""See what was set aside; let its group replay or drop it: `python -m infra.ops.dead list|show|replay|drop`.

The tool only marks letters and writes down who did; the owning group works them off within a second or two.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.ops import dead_letters, dead_mask
from infra.ops.dead_letters import NO_VERSION, Filter, LetterError, Place
from infra.ops.dead_replay import Outcome, drop, replay
from infra.ops.examples import catalogue
from infra.settings import SecretMissingError
from infra.settings import settings as process_settings

if TYPE_CHECKING:
    from asyncpg import Connection, Record

T = TypeVar("T")
STATES: Final = ("unclosed", "open", "replay", "drop", "closed", "dropped", "all")
NO_STACK: Final = "Is the platform running, and are its secrets here? See ./pickly status."

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)
Group = Annotated[str | None, typer.Option(help="only letters of this group")]
Type = Annotated[str | None, typer.Option(help="only letters of this message type")]
Reason = Annotated[str | None, typer.Option(help="only letters that died for this reason")]
SchemaVersion = Annotated[
    str | None, typer.Option(help=f"only letters of this version of the contract; {NO_VERSION}: without one")
]
Address = Annotated[str, typer.Argument(metavar="GROUP/TOPIC/PARTITION/OFFSET")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command("list")
def list_command(
    group: Group = None,
    type: Type = None,
    reason: Reason = None,
    schema_version: SchemaVersion = None,
    state: Annotated[str, typer.Option(help=" | ".join(STATES))] = STATES[0],
    as_json: AsJson = False,
) -> None:
    """Count letters by group, type, reason and schema version; those that are closed only when asked for."""
    if state not in STATES:
        raise typer.BadParameter(f"{state!r} is none of {', '.join(STATES)}", param_hint="--state")
    which = Filter(group, type, reason, schema_version)
    rows = [_told(row) for row in _run(lambda db: dead_letters.grouped(db, which, state))]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        Console().print(_table(rows))
    else:
        typer.echo("no dead letters" if state == STATES[0] else f"no dead letters that are {state}")


def _told(row: "Record") -> dict[str, Any]:
    return {
        "group": row["group_name"],
        "type": dead_mask.word(row["type"]),
        "reason": dead_mask.word(row["reason"]),
        "schema_version": row["schema_version"],
        "letters": row["letters"],
        "parked": row["parked"],
        "marked": row["marked"],
        "oldest": row["oldest"].isoformat(),
        "oldest_seconds": round(row["age"].total_seconds()),
        "example": f"{row['group_name']}/{row['topic']}/{row['partition']}/{row['record_offset']}",
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("group", "type", "reason", "schema", "letters", "parked", "marked", "oldest", "the first")
    for row in rows:
        counts = [f"{row[name]:,}" for name in ("letters", "parked", "marked")]
        words = [escape(row[name]) for name in ("group", "type", "reason", "schema_version")]
        table.add_row(*words, *counts, _ago(row["oldest_seconds"]), escape(row["example"]))
    return table


def _ago(seconds: int) -> str:
    for unit, size in (("days", 172_800), ("hours", 7_200), ("minutes", 120)):
        if seconds >= size:
            return f"{seconds // (size // 2)} {unit} ago"
    return f"{seconds} s ago"


@app.command("show")
def show_command(address: Address, as_json: AsJson = False) -> None:
    """Show one letter. Ids, kinds and times are shown; what people wrote is not."""
    row, behind = _run(lambda db: dead_letters.read(db, Place.parse(address)))
    letter = _shown(row, behind)
    if as_json:
        typer.echo(json.dumps(letter, indent=2))
        return
    for name, value in letter.items():
        text = json.dumps(value, indent=2, ensure_ascii=True) if isinstance(value, dict) else value
        typer.echo(f"{name:<12}{str(text).replace(chr(10), chr(10) + ' ' * 12)}")


def _shown(row: "Record", behind: int) -> dict[str, Any]:
    known = catalogue()
    kind = known.get(row["type"])
    body = row["body"]
    state = row["state"] + (", parked behind an earlier one of its key" if row["parked"] else "")
    return {
        "letter": f"{row['group_name']}/{row['topic']}/{row['partition']}/{row['record_offset']}",
        "state": state,
        "reason": dead_mask.word(row["reason"]),
        "error": dead_mask.error(row["error"]),
        "attempts": row["attempts"],
        "appended": row["appended_at"].isoformat(),
        "set aside": row["first_at"].isoformat(),
        "closed": row["closed_at"].isoformat() if row["closed_at"] else "not yet",
        "behind it": behind,
        "key": "none" if row["key"] is None else dead_mask.path(row["key"]),
        "headers": dead_mask.headers(json.loads(row["headers"]), known),
        "payload": "none" if body is None else dead_mask.body(kind, body),
    }


@app.command("replay")
def replay_command(
    address: Annotated[str | None, typer.Argument(metavar="[GROUP/TOPIC/PARTITION/OFFSET]")] = None,
    group: Group = None,
    type: Type = None,
    reason: Reason = None,
    schema_version: SchemaVersion = None,
    everything: Annotated[bool, typer.Option("--all", help="all letters of all groups")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many; change nothing.")] = False,
    rate: Annotated[int | None, typer.Option(min=1, help="at most so many a second")] = None,
) -> None:
    """Let the groups handle letters again, and those parked behind them; waits for what comes of it."""
    chosen = [address is not None, everything, any((group, type, reason, schema_version))]
    if sum(chosen) != 1:
        raise typer.BadParameter(
            "name one letter, or a filter (--group, --type, --reason, --schema-version), or --all"
        )

    async def work(db: "Connection") -> Outcome:
        place = Place.parse(address) if address is not None else None
        return await replay(
            db, Filter(group, type, reason, schema_version, place), dry_run=dry_run, rate=rate
        )

    outcome = _run(work)
    if dry_run:
        typer.echo(f"would replay this many letters: {outcome.letters}; nothing was changed")
    else:
        _tell(outcome)


@app.command("drop")
def drop_command(
    address: Address,
    reason: Annotated[str, typer.Option(help="why; it is kept with the letter and in mesh.audit")],
) -> None:
    """Give one letter up for good: its payload goes, and its sender is told that the command failed."""
    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    _tell(_run(lambda db: drop(db, Place.parse(address), reason.strip())))


def _tell(outcome: Outcome) -> None:
    typer.echo(outcome.summary())
    if not outcome.whole:
        raise typer.Exit(1)


def _run(work: "Callable[[Connection], Coroutine[Any, Any, T]]") -> T:
    async def connected() -> T:
        db = await asyncpg.connect(
            process_settings().dsn("ops"), timeout=10, server_settings={"application_name": "pickly-dead"}
        )
        try:
            return await work(db)
        finally:
            await db.close()

    try:
        return asyncio.run(connected())
    except LetterError as error:
        typer.echo(f"dead: {error}", err=True)
    except (SecretMissingError, OSError, asyncpg.PostgresError) as error:
        typer.echo(f"dead: {error}\n{NO_STACK}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
