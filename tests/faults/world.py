"""The whole platform as processes, with a proxy before each server, and a judge over all that was sent."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from infra.local import ports
from infra.local.parts import Part
from infra.local.servers import Servers, environment, server_parts
from infra.ops.database import DatabaseError
from infra.ops.lag_reading import look
from infra.ops.topic_broker import BrokerError
from infra.settings import Settings
from tests.chaos.checker import check
from tests.chaos.ledger import Attempt
from tests.faults.proxy import Proxy
from tests.journeys.stack import PARTS, Stack

PATIENCE = 120.0
NUMBERS = ("kafka", "kafka_controller", "postgres", "valkey", "s3", "mail", "kafka_proxied")


@dataclass
class World:
    """Servers, processes, and the ledger of every test: the logs are judged whole, so it is one for all.

    `settings` reach the servers directly; the processes reach them through `proxies`.
    """

    servers: Servers
    proxies: dict[str, Proxy]
    stack: Stack
    settings: Settings
    attempts: list[Attempt] = field(default_factory=list)

    def pids(self) -> dict[str, int]:
        """Of the processes that live."""
        return {name: p.pid for name, p in self.stack.processes.items() if p.poll() is None}

    def stop(self) -> None:
        """End the processes; `start` begins them again on what they left."""
        self.stack.stop()

    def start(self) -> None:
        """Every process, ready."""
        self.stack.start(*PARTS)

    async def at_rest(self) -> None:
        """Return when everybody has read everything and nothing waits to be sent."""
        end = time.monotonic() + PATIENCE
        while (left := await self._left()) or (left := await self._left()):  # twice: it may just have moved
            assert time.monotonic() < end, f"no rest after {PATIENCE:.0f} s: {left}"
            await asyncio.sleep(0.3)

    async def _left(self) -> list[str]:
        try:
            report = await look(self.settings)
        except (BrokerError, DatabaseError) as error:
            return [str(error)]
        behind = [f"{p.group} {p.topic}/{p.partition}: {p.behind} behind" for p in report.parts if p.behind]
        stopped = [f"{p.group} {p.topic}/{p.partition}: {p.stopped}" for p in report.parts if p.stopped]
        return behind + stopped + [f"{o.depth} in {o.schema}.outbox" for o in report.outboxes if o.depth]

    async def all_is_well(self) -> None:
        """Wait for rest; then every promise must have been kept, by every test until now."""
        await self.at_rest()
        verdict = await check(self.attempts, self.settings)
        assert verdict.wrongs == {}, verdict.samples


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, patiently."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
        await asyncio.sleep(0.05)


def settings_of(env: dict[str, str]) -> Settings:
    """The settings that the variables stand for."""
    named = {name.removeprefix("PICKLY_").lower(): text for name, text in env.items()}
    return Settings.model_validate(
        {name: named[name] for name in named.keys() & Settings.model_fields.keys()}
    )


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Everything, started and in the end stopped."""
    numbers = ports.choose(NUMBERS, span=ports.TESTS)
    with ExitStack() as exits:
        targets = {"kafka": "kafka_proxied", "postgres": "postgres", "valkey": "valkey"}
        proxies = {name: exits.enter_context(Proxy(numbers[port])) for name, port in targets.items()}
        through = numbers | {name: proxy.port for name, proxy in proxies.items()}
        parts = [each for each in server_parts(folder, numbers, lambda _: None) if each.name != "s3"]
        parts = [_advertising(each, numbers, through["kafka"]) for each in parts]
        servers = Servers(folder, parts, environment(folder, through))
        exits.callback(servers.stop)
        servers.start()
        stack = Stack(dict(servers.env), folder)
        exits.callback(stack.stop)
        stack.start_everything()
        yield World(servers, proxies, stack, settings_of(environment(folder, numbers)))


def _advertising(part: Part, numbers: dict[str, int], proxy: int) -> Part:
    """Kafka with a second listener that tells its clients to come through the proxy."""
    if part.name != "kafka":
        return part

    def prepare() -> None:
        part.prepare()
        file = part.folder / "server.properties"
        lines = [line.partition("=") for line in file.read_text().splitlines()]
        more = {
            "listeners": f",PROXIED://{ports.HOST}:{numbers['kafka_proxied']}",
            "advertised.listeners": f",PROXIED://{ports.HOST}:{proxy}",
            "listener.security.protocol.map": ",PROXIED:PLAINTEXT",
        }
        file.write_text("".join(f"{name}={value}{more.get(name, '')}\n" for name, _, value in lines))

    return replace(part, prepare=prepare)


def data_of_postgres(servers: Servers) -> Path:
    """Where its data lie: as root, outside of the servers' folder."""
    from infra.local.postgres_home import home_of

    return home_of(servers.folder / "postgres").data


def copy_folder(source: Path, target: Path) -> None:
    """A copy that keeps owner and rights, over whatever was there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
    for path in [source, *source.rglob("*")]:
        shutil.chown(target / path.relative_to(source), path.stat().st_uid, path.stat().st_gid)


def port_of(address: str) -> int:
    """The port in a URL."""
    return urlsplit(address).port or 0
