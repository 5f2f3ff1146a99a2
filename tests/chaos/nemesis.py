"""Carries out the plan: deaths, freezes, power cuts, storms, and the cleaner at work on the log."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import asyncpg
import psutil
import redis.asyncio as redis

from infra.local.secrets import SUPERUSER
from infra.local.servers import Servers
from infra.settings import Settings
from tests.chaos.compaction import force_compaction
from tests.chaos.plan import Fault
from tests.chaos.processes import Processes
from tests.chaos.tally import Tally
from tests.chaos.threads import in_thread

DARK: Final = (0.5, 2.5)
"""Seconds from a power cut to the restart of the server."""
VISITS: Final = 4
VISIT: Final = (2.0, 3.0)
LEADER: Final = """
    SELECT client_port FROM pg_stat_activity a JOIN pg_locks l USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted
       AND a.application_name = $1 AND a.datname = current_database()
"""


class Nemesis:
    """Strikes processes and servers of one run."""

    def __init__(
        self, servers: Servers, processes: Processes, settings: Settings, tally: Tally, seed: int
    ) -> None:
        self._servers = servers
        self._processes = processes
        self._settings = settings
        self._tally = tally
        self._chance = random.Random(f"nemesis/{seed}")
        self._dark: set[str] = set()
        self._works: dict[str, Callable[[str], Awaitable[None]]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "kill leader": self._kill_leader,
            "freeze leader": self._freeze_leader,
            "power cut": self._power_cut,
            "flush": self._flush,
            "storm": self._storm,
            "compact": self._compact,
        }

    async def carry_out(self, plan: Sequence[Fault]) -> None:
        """Each fault at its second from now; returns when the last has ended. Raises what went wrong."""
        strikes = [asyncio.create_task(self._strike(fault)) for fault in plan]
        try:
            await asyncio.gather(*strikes)
        finally:
            for strike in strikes:
                strike.cancel()
            await asyncio.gather(*strikes, return_exceptions=True)

    async def _strike(self, fault: Fault) -> None:
        await asyncio.sleep(fault.second)
        await self._works[fault.kind](fault.target)

    async def _kill(self, name: str) -> None:
        self._processes.kill(name)

    async def _freeze(self, name: str) -> None:
        self._processes.freeze(name)

    async def _kill_leader(self, schema: str) -> None:
        self._processes.kill(await self._leader(schema))

    async def _freeze_leader(self, schema: str) -> None:
        self._processes.freeze(await self._leader(schema))

    async def _leader(self, schema: str) -> str:
        """The relay that holds the outbox's lock; the first one while nobody does or nobody can tell."""
        try:
            db = await asyncpg.connect(self._settings.dsn(SUPERUSER), timeout=3)
            try:
                port = await db.fetchval(LEADER, f"relay/{schema}")
            finally:
                await db.close(timeout=1)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            port = None
        relays = ("relay-1", "relay-2")
        return next((name for name in relays if port in _local_ports(self._processes.pid(name))), relays[0])

    async def _power_cut(self, server: str) -> None:
        if server in self._dark:
            self._tally.say(f"spared   {server} is still on its way back")
            return
        self._dark.add(server)
        self._tally.killed(server, "power cut")
        await in_thread(self._servers.kill, server)
        await asyncio.sleep(self._chance.uniform(*DARK))
        await in_thread(self._servers.restart, server)
        self._dark.discard(server)
        self._tally.restarted(server)
        self._tally.say(f"again    {server} answers")

    async def _flush(self, _: str) -> None:
        valkey = redis.from_url(self._settings.valkey, password=self._settings.secret("valkey"))
        try:
            await valkey.flushall()
            self._tally.say("flush    valkey")
        except (redis.RedisError, OSError):
            self._tally.say("flush    valkey was away")
        finally:
            await valkey.aclose()

    async def _storm(self, group: str) -> None:
        self._tally.say(f"storm    members of {group} come and go")
        for _ in range(VISITS):
            await self._processes.visit(group, self._chance.uniform(*VISIT))

    async def _compact(self, _: str) -> None:
        await force_compaction(self._settings)
        self._tally.say("compact  state topics, all the time from now on")


def _local_ports(pid: int) -> set[int]:
    try:
        return {connection.laddr.port for connection in psutil.Process(pid).net_connections("tcp")}
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return set()
