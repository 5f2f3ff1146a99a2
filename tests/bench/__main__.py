"""Measure speed beside what others would use: `./pickly bench [NAME ...]`; `--list` names what there is.

Exit code 0: everything was measured, whether or not it meets its bar (the table says so). 1: something could
not be measured. Servers are started for it, unless PICKLY_TEST_SERVERS names the file of running ones, whose
topics are emptied.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from rich.console import Console

from infra import logs
from infra.local.errors import StackError
from infra.local.servers import start_servers
from infra.process import collect_seldom
from infra.settings import Settings, settings
from tests.bench import machine, page
from tests.bench.benches import BENCHES
from tests.bench.document import Document, Failure, Row
from tests.bench.effort import Effort
from tests.bench.report import table
from tests.conftest import read_env

SERVERS = "PICKLY_TEST_SERVERS"


async def measure(config: Settings, names: Sequence[str], effort: Effort, say: Console) -> Document:
    """Run the named benchmarks, one after the other; one that fails is told and the others go on."""
    began, at = time.monotonic(), datetime.now(UTC)
    facts = await machine.facts(config)
    rows: list[Row] = []
    failures: list[Failure] = []
    for name in names:
        say.print(f"{name}: measuring …", highlight=False)
        since = time.monotonic()
        try:
            rows += await BENCHES[name].run(config, effort)
        except Exception as error:
            notes = "\n".join(getattr(error, "__notes__", []))
            failures.append(Failure(bench=name, error=f"{type(error).__name__}: {error}\n{notes}".strip()))
        say.print(f"{name}: {time.monotonic() - since:.0f} s", highlight=False)
    return Document(
        at=at,
        seconds=round(time.monotonic() - began, 1),
        quick=effort.quick,
        machine=facts,
        rows=rows,
        failures=failures,
    )


@contextmanager
def servers() -> Iterator[None]:
    """Put the addresses of servers into this process's environment: of running ones, or of our own."""
    if shared := os.environ.get(SERVERS):
        os.environ.update(read_env(Path(shared)))
        yield
        return
    with tempfile.TemporaryDirectory(prefix="pickly-bench-", ignore_cleanup_errors=True) as folder:
        started = start_servers(Path(folder), s3=False)
        try:
            os.environ.update(started.env)
            yield
        finally:
            started.stop()


def main(arguments: Sequence[str]) -> int:
    """Measure and print; see the module for the exit code."""
    asked = parser().parse_args(arguments)
    collect_seldom()  # as every process of ours does; both sides of a row in this process have it
    names = asked.name or list(BENCHES)
    if asked.write and (asked.quick or set(names) != set(BENCHES)):
        parser().error("--write needs everything, measured in full: leave out NAME and --quick")
    if asked.list:
        for name, bench in BENCHES.items():
            sys.stdout.write(f"{name:12}{bench.does.partition(chr(10))[0]}\n")
        return 0
    logs.configure("bench", "WARNING")  # on stderr: stdout is for the document
    say = Console(stderr=True, quiet=asked.json and not sys.stderr.isatty())
    try:
        with servers(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            document = runner.run(measure(settings(), names, Effort(asked.quick), say))
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    tell(document, as_json=asked.json)
    if document.failures:
        return 1
    if asked.write:
        page.write(document)
    return 0


def tell(document: Document, *, as_json: bool) -> None:
    """The document or a table on stdout, what failed on stderr."""
    if as_json:
        sys.stdout.write(document.model_dump_json(indent=1) + "\n")
    else:
        Console(width=max(120, Console().width)).print(table(document))
    for failure in document.failures:
        sys.stderr.write(f"{failure.bench} could not be measured: {failure.error}\n")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="./pickly bench", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("name", nargs="*", choices=[[], *BENCHES], metavar="NAME", help="only these")
    made.add_argument("--list", action="store_true", help="say what can be measured, and end")
    made.add_argument("--json", action="store_true", help="print one JSON document")
    made.add_argument("--quick", action="store_true", help="a smoke test; its figures mean nothing")
    made.add_argument("--write", action="store_true", help="also write docs/performance.json and .md")
    return made


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
