"""The journey of a command, a pick or a correlation: `python -m infra.ops.trace ID [--json]`. Reads only."""

import asyncio
from typing import Annotated, Final

import orjson
import typer

from infra.ops.complaints import complaining
from infra.ops.database import DatabaseError
from infra.ops.topic_broker import BrokerError
from infra.ops.trace_json import as_json
from infra.ops.trace_reading import trace
from infra.ops.trace_text import lines
from infra.settings import settings

UNKNOWN: Final = (
    "no decision, no dead letter and no waiting command has it. Decisions are kept for eight days; a command "
    "that was answered 503 may never have reached the broker."
)


def main(
    id: Annotated[
        str, typer.Argument(help="a command id, correlation id, pick id, or <pick>/<account>/<kind>")
    ],
    json: Annotated[bool, typer.Option("--json", help="the same as one line of JSON")] = False,
) -> None:
    """Command, decision, events and who has seen them, in order and with times. Exit code 1: unknown id."""
    with complaining("trace", BrokerError, DatabaseError):
        found = asyncio.run(trace(settings(), id))
    if json:
        typer.echo(orjson.dumps(as_json(found)))
    else:
        for line in lines(found):
            typer.echo(line)
    if not found.known:
        typer.echo(f"trace: {id}: {UNKNOWN}", err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
