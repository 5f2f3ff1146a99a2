"""The facts of the machine, and the versions of what was measured."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil

from infra.local.jars import locked
from infra.settings import Settings
from tests.bench import node
from tests.bench.document import Machine


async def facts(config: Settings) -> Machine:
    """Asked before anything is measured, so that the load is that of others."""
    load = os.getloadavg()
    connection = await asyncpg.connect(config.dsn("postgres"))
    postgres = str(await connection.fetchval("SHOW server_version")).split()[0]
    await connection.close()
    return Machine(
        cores=os.cpu_count() or 1,
        cpu=_cpu(),
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        node=node.version().removeprefix("v"),
        kafka=next(jar.version for jar in locked() if jar.artifact.startswith("kafka_")),
        postgres=postgres,
        load_before=(round(load[0], 2), round(load[1], 2), round(load[2], 2)),
    )


def _cpu() -> str:
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
