"""Brokers of a test's own, to be killed and frozen without hurting anybody else."""

import dataclasses
import subprocess
from pathlib import Path
from typing import Final

from infra.local import jars, kafka, ports
from infra.local.parts import Part
from infra.local.servers import JARS, Servers

SECOND: Final = """\
process.roles=broker
node.id=2
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
broker.session.timeout.ms={session}
broker.heartbeat.interval.ms=500
"""


def one_broker(folder: Path) -> Servers:
    """A cluster of one broker, not started yet."""
    numbers = ports.saved(folder / "ports.json", kafka.PORTS)
    return Servers(folder, [_first(folder, numbers)], {"PICKLY_KAFKA": f"{ports.HOST}:{numbers['kafka']}"})


def two_brokers(folder: Path, session_ms: int = 2_000) -> Servers:
    """Broker 1 is `kafka` and the controller, broker 2 is `second`; start them in this order.

    `session_ms` is how long the controller takes to notice that broker 2 is silent.
    """
    numbers = ports.saved(folder / "ports.json", (*kafka.PORTS, "second"))
    first = _first(folder, numbers)
    return Servers(
        folder,
        [first, _second(folder / "second", numbers, first, session_ms)],
        {"PICKLY_KAFKA": f"{ports.HOST}:{numbers['kafka']}"},
    )


def _first(folder: Path, numbers: dict[str, int]) -> Part:
    return kafka.part(folder / "kafka", folder / "logs", numbers, JARS, lambda _: None)


def _second(folder: Path, numbers: dict[str, int], first: Part, session_ms: int) -> Part:
    java, properties = str(kafka.java()), folder / "server.properties"
    path = ":".join(str(jar.path(JARS)) for jar in jars.locked())
    tool = [java, "-XX:TieredStopAtLevel=1", "-cp", path, "kafka.tools.StorageTool"]

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        data = folder / "data"
        properties.write_text(
            SECOND.format(
                host=ports.HOST, controller=numbers["kafka_controller"], port=numbers["second"], data=data,
                session=session_ms,
            )
        )  # fmt: skip
        lines = (first.folder / "data" / "meta.properties").read_text().splitlines()
        cluster = next(line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id="))
        subprocess.run(
            [*tool, "format", "-t", cluster, "-c", str(properties), "--ignore-formatted"],
            check=True,
            capture_output=True,
        )

    return dataclasses.replace(
        first,
        name="second",
        command=lambda: [java, *kafka.JVM, "-cp", path, "kafka.Kafka", str(properties)],
        folder=folder,
        log=folder / "second.log",
        ready=lambda: None if not ports.is_free(numbers["second"]) else "it does not listen yet",
        port=numbers["second"],
        prepare=prepare,
        stopped=lambda: None,
    )
