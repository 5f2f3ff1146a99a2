"""Kafka, PostgreSQL, Valkey, S3 and a mailbox in one folder, without the platform: for tests and for work.

`python -m infra.local.servers FOLDER` runs them until Ctrl-C or SIGTERM and writes FOLDER/env to be sourced.
"""

import argparse
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psutil

from infra.console import Console
from infra.local import kafka, mailbox, ports, postgres, postgres_home, s3, secrets, valkey
from infra.local.errors import StackError
from infra.local.parts import POLL, Part, launch, signal_tree, stop_child, tree, wait_for, wait_ready
from infra.local.ports import HOST

REPOSITORY: Final = Path(__file__).parents[2]
JARS: Final = REPOSITORY / ".pickly" / "jars"
PORTS: Final = (*kafka.PORTS, *postgres.PORTS, *valkey.PORTS, *s3.PORTS, *mailbox.PORTS)
MAILS: Final = "mail"
START_SECONDS: Final = 120


def server_parts(folder: Path, numbers: dict[str, int], say: Callable[[str], None]) -> list[Part]:
    """The five servers with data, logs and secrets in `folder`."""
    logs, keys = folder / "logs", folder / "secrets"
    secrets.create(keys)
    return [
        kafka.part(folder / "kafka", logs, numbers, JARS, say),
        postgres.part(folder / "postgres", logs, numbers, keys),
        valkey.part(folder / "valkey", logs, numbers, keys),
        s3.part(folder / "s3", logs, numbers, keys),
        mailbox.part(folder / MAILS, logs, numbers),
    ]


def environment(folder: Path, numbers: dict[str, int]) -> dict[str, str]:
    """The variables that tell a process where the servers in `folder` are."""
    return {
        "PICKLY_KAFKA": f"{HOST}:{numbers['kafka']}",
        "PICKLY_DATABASE": f"postgresql://{HOST}:{numbers['postgres']}/{postgres.DATABASE}",
        "PICKLY_VALKEY": f"redis://{HOST}:{numbers['valkey']}/0",
        "PICKLY_S3": f"http://{HOST}:{numbers['s3']}",
        "PICKLY_SMTP_HOST": HOST,
        "PICKLY_SMTP_PORT": str(numbers["mail"]),
        "PICKLY_MAILBOX": str(folder / MAILS),
        "PICKLY_SECRETS": str(folder / "secrets"),
        "PICKLY_REPLICATION": "1",
        "PGSSLMODE": "disable",  # it has no TLS, and asking would look for keys in a home that may be closed
    }


class Servers:
    """Running servers, with what fault tests do to them. Names: kafka, postgres, valkey, s3, mail."""

    def __init__(self, folder: Path, parts: list[Part], env: dict[str, str]) -> None:
        self.folder = folder
        self.env = env
        self._parts = {part.name: part for part in parts}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all that do not run, in parallel; when one fails, stop all and raise its StackError."""
        with ThreadPoolExecutor() as pool:
            starts = [pool.submit(self.restart, name) for name in self._parts if not self.runs(name)]
        failures = [error for error in (start.exception() for start in starts) if error is not None]
        if failures:
            self.stop()
            raise failures[0]

    def runs(self, name: str) -> bool:
        """Whether the server's process exists."""
        return name in self._running and self._running[name].poll() is None

    def pid(self, name: str) -> int:
        """The process id of a running server."""
        return self._running[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL to a server and its children, as a power cut would."""
        process = self._running.pop(name)
        family = tree(process.pid)
        signal_tree(process.pid, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(family, timeout=10)

    def restart(self, name: str) -> None:
        """Start a server on the data and port that it had, stopping it first if it runs; returns when it
        answers."""
        part = self._parts[name]
        if self.runs(name):
            self._stop(name)
        part.prepare()
        ports.require_free(name, part.port or 0)
        self._running[name] = launch(part)
        wait_ready(part, self._running[name], START_SECONDS)
        part.finish()

    def pause(self, name: str) -> None:
        """SIGSTOP to a server and its children: connections stay open and nothing answers. Returns when all
        stand still."""
        signal_tree(self.pid(name), signal.SIGSTOP)
        while any(process.status() != psutil.STATUS_STOPPED for process in tree(self.pid(name))):
            time.sleep(POLL)

    def resume(self, name: str) -> None:
        """SIGCONT to a server and its children."""
        signal_tree(self.pid(name), signal.SIGCONT)

    def stop(self, *, keep: bool = False) -> None:
        """Stop all. What PostgreSQL had to keep outside the folder is deleted unless `keep`."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._stop, list(self._running)))
        if not keep:
            postgres_home.remove_outside(self.folder / "postgres")

    def _stop(self, name: str) -> None:
        process = self._running.pop(name)
        if process.poll() is None:
            self._resume_then_stop(self._parts[name], process)

    def _resume_then_stop(self, part: Part, process: subprocess.Popen[bytes]) -> None:
        signal_tree(process.pid, signal.SIGCONT)
        if stop_child(process, part):
            part.stopped()
        process.wait()


def _quiet(_: str) -> None:
    pass


def start_servers(folder: Path, *, s3: bool = True, say: Callable[[str], None] = _quiet) -> Servers:
    """Start the servers in `folder` on free ports, with the secrets that lie there or fresh ones; returns
    when all answer. The ports are written down there: a second start has the same data and addresses."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    numbers = ports.saved(folder / "ports.json", PORTS, ports.TESTS)
    parts = [part for part in server_parts(folder, numbers, say) if s3 or part.name != "s3"]
    servers = Servers(folder, parts, environment(folder, numbers))
    servers.start()
    return servers


def main() -> int:
    """Run the servers in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.servers", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: done.set())
    try:
        servers = start_servers(folder, say=Console().progress)
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    env = folder.resolve() / "env"
    env.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in servers.env.items()))
    sys.stdout.write(f"ready: source {env}\n")
    sys.stdout.flush()
    wait_for(done)
    servers.stop(keep=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
