"""The platform as a table of parts: servers, then migrations and topics, then everything that is ours."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from infra.local import kafka, mailbox, postgres, s3, valkey
from infra.local.errors import StackError
from infra.local.healing import Care, rebuilding
from infra.local.parts import Part
from infra.local.ports import HOST
from infra.local.probe import over_http
from infra.local.servers import PORTS as SERVER_PORTS
from infra.local.servers import REPOSITORY, environment, server_parts
from infra.settings import Settings

ONE_SHOTS: Final = {"migrate": ("infra.ops.migrate",), "topics": ("infra.ops.topics", "apply")}
LIGHT_GROUPS: Final[dict[str, tuple[str, ...]]] = {"groups": ("consumers", "all")}
ALONE: Final[dict[str, tuple[str, ...]]] = {"relay": ("producers.relay",), "clock": ("producers.clock",)}
GATEWAY: Final = "gateway"
SERVERS_STAGE, ONE_SHOTS_STAGE, OURS_STAGE = range(3)


def workers(each: bool) -> dict[str, tuple[str, ...]]:
    """Name and module arguments of our own long-running processes, the gateway apart."""
    groups = {name: ("consumers", name) for name in _group_names()} if each else LIGHT_GROUPS
    return {**ALONE, **groups}


def port_names(each: bool) -> list[str]:
    """Every port that a stack of this shape listens on."""
    return [*SERVER_PORTS, *workers(each), GATEWAY]


def platform_parts(
    folder: Path, numbers: dict[str, int], each: bool, say: Callable[[str], None]
) -> list[Part]:
    """Every part of the platform with its data in `folder`, in the order of starting."""
    env = platform_environment(folder, numbers)
    return [
        *server_parts(folder, numbers, say),
        *(_one_shot(name, module, folder, env) for name, module in ONE_SHOTS.items()),
        *(_worker(name, module, folder, env, numbers[name]) for name, module in workers(each).items()),
        _worker(GATEWAY, (GATEWAY,), folder, env, numbers[GATEWAY]),
    ]


def platform_care(folder: Path, numbers: dict[str, int]) -> Care:
    """How read models that may have missed something are built anew."""
    env = platform_environment(folder, numbers)
    settings = Settings(database=env["PICKLY_DATABASE"], secrets=folder / "secrets")

    def part(name: str, words: Sequence[str]) -> Part:
        return replace(
            _one_shot(name, ("infra.ops.rebuild", *words), folder, env), once=False, stop_seconds=60
        )

    return rebuilding(settings, part)


def platform_environment(folder: Path, numbers: dict[str, int]) -> dict[str, str]:
    """The PICKLY_* variables of every process of this stack, and of commands that talk to it."""
    gateway = {"PICKLY_GATEWAY_HOST": HOST, "PICKLY_GATEWAY_PORT": str(numbers[GATEWAY])}
    return environment(folder, numbers) | gateway | {"PICKLY_SITE": gateway_address(numbers)}


def gateway_address(numbers: Mapping[str, int]) -> str:
    """Where the front door is."""
    return f"http://{HOST}:{numbers[GATEWAY]}"


def _one_shot(name: str, module: tuple[str, ...], folder: Path, env: Mapping[str, str]) -> Part:
    return Part(
        name=name,
        command=lambda: [sys.executable, "-m", *module],
        folder=REPOSITORY,
        log=folder / "logs" / f"{name}.log",
        env={**env, "PICKLY_PROCESS": name, "PYTHONPATH": str(REPOSITORY)},
        stage=ONE_SHOTS_STAGE,
        once=True,
    )


def _worker(name: str, module: tuple[str, ...], folder: Path, env: Mapping[str, str], port: int) -> Part:
    own = {"PICKLY_PROCESS": name, "PYTHONPATH": str(REPOSITORY)}
    if name != GATEWAY:  # its probes are on the front door
        own["PICKLY_HTTP_PORT"] = str(port)
    return Part(
        name=name,
        command=lambda: [sys.executable, "-m", *module],
        folder=REPOSITORY,
        log=folder / "logs" / f"{name}.log",
        ready=lambda: over_http(port),
        port=port,
        env={**env, **own},
        stage=OURS_STAGE,
    )


def probe(folder: Path, name: str, port: int) -> str | None:
    """Whether a part is ready now, in its own words: None, or why not."""
    secrets = folder / "secrets"
    servers: dict[str, Callable[[], str | None]] = {
        "kafka": lambda: kafka.probe(port),
        "postgres": lambda: postgres.probe(port),
        "valkey": lambda: valkey.probe(port, (secrets / "valkey").read_text()),
        "s3": lambda: s3.probe(port),
        "mail": lambda: mailbox.probe(port),
    }
    return servers.get(name, lambda: over_http(port))()


def _group_names() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "consumers", "--list"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"the groups could not be listed:\n{done.stderr}")
    return done.stdout.split()
