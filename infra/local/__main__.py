"""`python -m infra.local WORD`: up, down, status, reset, logs of the stack whose data lie in `.pickly/`."""

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from infra.console import Console
from infra.local.down import down, reset
from infra.local.errors import StackError
from infra.local.logs import show
from infra.local.servers import REPOSITORY
from infra.local.stack import probe
from infra.local.status import look, table
from infra.local.up import Shape, detach, up


def main() -> int:
    """Do what the word says; errors that a user can act on are told without a traceback."""
    os.umask(0o022)
    arguments = _parser().parse_args()
    console = Console()
    try:
        return _run(arguments, console)
    except StackError as error:
        console.bad(str(error))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES):
            raise
        what = "the disk is full" if error.errno == errno.ENOSPC else "no permission"
        console.bad(
            f"{what}: {error.filename or error}. Make room or correct the permissions, then try again."
        )
    except KeyboardInterrupt:
        console.say("Interrupted.")
    return 1


def _run(arguments: argparse.Namespace, console: Console) -> int:
    folder = REPOSITORY / ".pickly"
    words: dict[str, Callable[[], int]] = {
        "up": lambda: _up(folder, arguments, console),
        "down": lambda: down(folder, console),
        "reset": lambda: reset(folder, console, sure=arguments.yes),
        "logs": lambda: show(folder, arguments.name, follow=arguments.follow),
        "status": lambda: _status(folder, as_json=arguments.json),
    }
    return words[arguments.word]()


def _up(folder: Path, arguments: argparse.Namespace, console: Console) -> int:
    shape = Shape(arguments.each, arguments.gateway_port)
    if not arguments.detach:
        return up(folder, shape, console)
    passed = [argument for argument in sys.argv[2:] if argument != "--detach"]
    return detach(folder, shape, passed, console)


def _status(folder: Path, *, as_json: bool) -> int:
    status = look(folder, probe)
    sys.stdout.write((json.dumps(status, indent=1) if as_json else table(status)) + "\n")
    return 0 if status["ready"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pickly")
    words = parser.add_subparsers(dest="word", required=True)
    up_word = words.add_parser("up", help="start the platform")
    up_word.add_argument("--detach", action="store_true", help="return when it is ready and leave it running")
    up_word.add_argument("--each", action="store_true", help="one process for each consumer group")
    up_word.add_argument(
        "--gateway-port", type=_port, metavar="N", help="the port of the API, kept for later"
    )
    words.add_parser("down", help="stop it; the data stay")
    status = words.add_parser("status", help="what runs (exit code 0 when all is ready)")
    status.add_argument("--json", action="store_true", help="for programs")
    reset_word = words.add_parser("reset", help="stop it and delete its data")
    reset_word.add_argument("--yes", action="store_true", help="do not ask")
    logs = words.add_parser("logs", help="the end of the logs")
    logs.add_argument("name", nargs="?", help="of this part only")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 2**16:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port


if __name__ == "__main__":
    sys.exit(main())
