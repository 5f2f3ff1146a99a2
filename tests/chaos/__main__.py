"""`./pickly chaos --seconds N --seed S [--control NAME] [--json]`: faults on a stack of its own, judged.

Progress goes to stderr; stdout ends with one line of JSON. Exit code 0: every promise was kept.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import uvloop

from infra.local.errors import StackError
from infra.local.servers import Servers, start_servers
from tests.chaos.controls import CONTROLS
from tests.chaos.run import Outcome, Run, chaos
from tests.chaos.runs import controlled, honest
from tests.chaos.tally import Tally, log_to
from tests.chaos.threads import in_thread


async def main(run: Run, folder: Path, tally: Tally) -> Outcome:
    """Servers of its own, then the run."""
    stop = asyncio.current_task()
    assert stop is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.cancel)
    servers: list[Servers] = []
    try:
        await in_thread(lambda: servers.append(start_servers(folder / "servers", s3=False)))
        tally.say("servers  Kafka, PostgreSQL and Valkey answer")
        return await chaos(run, servers[0], folder, tally)
    finally:
        for each in servers:
            await in_thread(each.stop)


def command(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
    given = _parser().parse_args(arguments)
    seconds, seed = given.seconds, given.seed
    run = controlled(given.control, seed, seconds) if given.control else honest(seconds or 60.0, seed)
    folder = Path(tempfile.mkdtemp(prefix="pickly-chaos-"))
    log_to(folder / "load.log")
    tally = Tally(quiet=given.json)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcome = runner.run(main(run, folder, tally))
    except (KeyboardInterrupt, asyncio.CancelledError):
        shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.write("chaos: stopped; nothing that it started is left\n")
        return 130
    except StackError as error:
        sys.stderr.write(f"chaos: {error}\nThe logs are in {folder}\n")
        return 2
    return report(outcome, folder)


def report(outcome: Outcome, folder: Path) -> int:
    """Say what was found; keep the folder only when something was."""
    if outcome.failed:
        for wrong, examples in {**outcome.verdict.samples, "stuck": list(outcome.restless)}.items():
            for example in examples:
                sys.stderr.write(f"{wrong}: {example}\n")
        sys.stderr.write(f"logs and ledger are in {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{json.dumps(outcome.line)}\n")
    return 1 if outcome.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./pickly chaos", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--seconds", type=float, help="how long load and faults last; 60 when not given")
    parser.add_argument("--seed", type=int, default=1, help="the same seed is the same plan of faults")
    parser.add_argument(
        "--control", choices=CONTROLS, help="a product broken on purpose, which must end with exit code 1"
    )
    parser.add_argument("--json", action="store_true", help="only the line of JSON, and on failure why")
    return parser


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
