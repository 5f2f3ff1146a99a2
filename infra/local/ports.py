"""Free ports, chosen once and written down; a busy one is an error that names who holds it."""

import json
import random
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import psutil

from infra.local.errors import StackError

Span = tuple[int, int]
# Below the range that Linux and macOS hand out to outgoing connections, so that a saved port stays free. The
# ports of a clone lie in one block, so that two clones seldom have any in common; those of servers for tests,
# which come and go, lie elsewhere, so that they never take the port of a clone that is just stopped.
CLONES: Final[Span] = (20_000, 28_000)
TESTS: Final[Span] = (28_000, 32_000)
BLOCK: Final = 40
HOST: Final = "127.0.0.1"
GRACE_SECONDS: Final = 2.0


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose(names: Iterable[str], taken: Iterable[int] = (), span: Span = CLONES) -> dict[str, int]:
    """A free port for each name, none of them in `taken` but near those, in a block that nobody uses."""
    used = set(taken)
    candidates = _candidates(span, used)
    chosen: dict[str, int] = {}
    for name in names:
        port = next((p for p in candidates if p not in used and is_free(p)), None)
        if port is None:
            raise StackError(
                f"no free port from {span[0]} to {span[1] - 1}: stop something that listens there"
            )
        used.add(port)
        chosen[name] = port
    return chosen


def _candidates(span: Span, taken: set[int]) -> Iterator[int]:
    blocks = [range(start, min(start + BLOCK, span[1])) for start in range(*span, BLOCK)]
    random.SystemRandom().shuffle(blocks)
    for block in blocks:
        if not taken.isdisjoint(block):
            yield from block
    for block in blocks:
        if all(map(is_free, block)):
            yield from block
    yield from range(*span)


def saved(file: Path, names: Iterable[str], span: Span = CLONES) -> dict[str, int]:
    """The ports of `file`, with new ones chosen and written for names that it does not hold yet."""
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    missing = [name for name in names if name not in known]
    if missing:
        known |= choose(missing, known.values(), span)
        save(file, known)
    return known


def save(file: Path, ports: dict[str, int]) -> None:
    """Write the ports so that a reader sees the old file or the new one, never half of it."""
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(ports, indent=1) + "\n")
    temporary.replace(file)


def holder(port: int) -> str:
    """Who listens on this port, for people: name, pid and command line as far as the system tells."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "another process (the system does not say which)"
    for connection in connections:
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
            return _describe(connection.pid)
    return "another process (the system does not say which)"


def _describe(pid: int | None) -> str:
    if pid is None:
        return "a process of another user"
    try:
        process = psutil.Process(pid)
        return f"{process.name()} (pid {pid}: {' '.join(process.cmdline())[:120]})"
    except psutil.Error:
        return f"pid {pid}"


def require_free(name: str, port: int, file: Path | None = None) -> None:
    """Raise StackError when `port`, saved for the part `name`, is held by somebody else. A process that was
    just killed gets a moment: the system may report its end before it has closed its sockets."""
    deadline = time.monotonic() + GRACE_SECONDS
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if free:
        return
    where = f", or change or delete its line in {file}" if file else ""
    raise StackError(
        f"{name}: port {port} is held by {holder(port)}. Stop that process{where}, and try again."
    )
