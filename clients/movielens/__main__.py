"""`./pickly seed NAME` and `./pickly check NAME`: real data into the platform, and compared there."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from clients.movielens import wheel
from clients.movielens.accounts import Accounts, Mint
from clients.movielens.check import Check, Report
from clients.movielens.facts import read_facts
from clients.movielens.gateway import HOW, NoGatewayError, find_gateway
from clients.movielens.ratings import read_ratings
from clients.movielens.seed import AT_ONCE, Seed, TooManyRefusalsError
from clients.movielens.tally import Tally
from clients.python import Pickly, PicklyError, Retry, Unauthorized, Unavailable, UnreachableError
from clients.python.fast import FastTransport

DATA_SETS = ("movielens",)
SHOWN = 20
OUTAGE = Retry(total=300.0, attempt=15.0)
"""A broker or a database that is killed and started again is back within a minute; give it five."""
FIRST_CONTACT = Retry(total=20.0)
"""A gateway that nobody has seen yet is more likely not there than restarting."""

console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Name = Annotated[str, typer.Argument(help="The data set: movielens.", show_default=False)]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N ratings by time.")]
Gateway = Annotated[str | None, typer.Option(metavar="URL", help="The gateway; else the running stack's.")]
Concurrency = Annotated[int, typer.Option(min=1, max=512, metavar="N", help="Requests in flight.")]
Patience = Annotated[
    float, typer.Option(metavar="S", help="Seconds to wait at the end for what is not visible.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
ResultT = TypeVar("ResultT")


@app.command()
def seed(
    name: Name,
    limit: Limit = None,
    gateway: Gateway = None,
    concurrency: Concurrency = AT_ONCE,
    patience: Patience = 600.0,
) -> None:
    """Publish a real data set over HTTP, as the people in it. It can be cut and run again without harm."""
    with explained():
        data = data_set(name)
        console.print(wheel.TERMS)
        ratings, mint = read_ratings(data, limit), local_mint()

        async def work(pickly: Pickly) -> Tally:
            seeding = Seed(ratings, Accounts(pickly, mint), console, at_once=concurrency)
            try:
                return await seeding.run(patience)
            except BaseException:
                console.print(
                    f"Cut: {seeding.tally}\nThe same command goes on from here; nothing takes effect twice."
                )
                raise

        tally = run(work, gateway, concurrency)
        print_first(tally.refused + tally.invisible)
        typer.echo(tally)
        raise typer.Exit(0 if tally.is_clean else 1)


@app.command()
def check(
    name: Name,
    limit: Limit = None,
    gateway: Gateway = None,
    concurrency: Concurrency = 16,
    as_json: AsJson = False,
) -> None:
    """Compare every page of the platform with the file; exit 1 when anything differs.

    Give the --limit that was given to seed.
    """
    with explained():
        facts, began = read_facts(data_set(name), limit), time.monotonic()
        report = run(
            lambda pickly: Check(facts, pickly, console, at_once=concurrency).run(), gateway, concurrency
        )
        print_report(report, time.monotonic() - began, as_json)
        raise typer.Exit(1 if report.differences else 0)


def data_set(name: str) -> Path:
    """The file of a data set by its name."""
    if name not in DATA_SETS:
        raise typer.BadParameter(f"There is no data set {name!r}. There is: {', '.join(DATA_SETS)}.")
    return wheel.fetch()


class NoKeyError(Exception):
    """There is no key to sign access tokens with; the message says what to do."""


def local_mint() -> Mint:
    """What makes access tokens with the local stack's own key, tried once. Raises NoKeyError."""
    from infra.tokens import mint  # `check` needs no token and no key

    try:
        mint("pickly")
    except RuntimeError as error:
        raise NoKeyError(
            f"No access tokens can be made: {error}. Run this as `./pickly seed` beside the running stack, "
            "or set PICKLY_SECRETS to its folder of secrets."
        ) from error
    return mint


def run(work: Callable[[Pickly], Awaitable[ResultT]], gateway: str | None, concurrency: int) -> ResultT:
    """Do `work` with a client of the gateway that is running, on the fastest event loop there is."""
    url = find_gateway(gateway)

    async def main() -> ResultT:
        await greet(url)
        async with Pickly(url, transport=FastTransport(concurrency), retry=OUTAGE) as pickly:
            return await work(pickly)

    if sys.platform == "win32":
        return asyncio.run(main())
    import uvloop

    return uvloop.run(main())


async def greet(url: str) -> None:
    """Say where the gateway is and see that it answers. Raises NoGatewayError."""
    console.print(f"Gateway: {url}")
    try:
        async with Pickly(url, retry=FIRST_CONTACT) as pickly:
            await pickly.find_thing("movielens:1")
    except (UnreachableError, Unavailable) as error:
        raise NoGatewayError(f"{error}. {HOW}") from error


def print_first(lines: list[str]) -> None:
    """The first few lines, and how many more there are."""
    for line in lines[:SHOWN]:
        console.print(f"  {line}")
    if len(lines) > SHOWN:
        console.print(f"  ... and {len(lines) - SHOWN:,} more")


def print_report(report: Report, seconds: float, as_json: bool) -> None:
    """The first differences and a line that counts, or all of it as JSON."""
    if as_json:
        counts = {
            "things": report.things,
            "accounts": report.accounts,
            "feed": report.feed,
            "others": report.others,
        }
        first = [asdict(difference) for difference in report.differences[:SHOWN]]
        told = {
            "differences": len(report.differences),
            **counts,
            "seconds": round(seconds, 1),
            "first": first,
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    print_first([str(difference) for difference in report.differences])
    console.print(f"compared in {seconds:.1f} s")
    typer.echo(report)


@contextmanager
def explained() -> Iterator[None]:
    """End with a clear message instead of a traceback when it is not this program's fault."""
    try:
        yield
    except Unauthorized as error:
        console.print(
            f"The gateway does not take tokens of this stack's key ({error}). Is it another stack's gateway?"
        )
        raise typer.Exit(2) from error
    except (NoGatewayError, NoKeyError, wheel.NoDataSetError, PicklyError, TooManyRefusalsError) as error:
        console.print(str(error))
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app(prog_name="./pickly")
