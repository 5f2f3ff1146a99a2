"""The five real servers: data survive SIGKILL and restarts, secrets are asked for, faults are real."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import aioboto3
import asyncpg
import httpx
import psutil
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from botocore.config import Config  # type: ignore[import-untyped]  # botocore ships no types

from infra.local import s3
from infra.local.ports import is_free
from infra.local.postgres_home import remove_outside
from infra.local.servers import Servers, start_servers
from infra.local.valkey import ONCE
from infra.mail import Mail, send
from infra.maildir import read
from infra.settings import Settings
from tests.infra.local.waiting import until

NAMES = ("kafka", "postgres", "valkey", "s3", "mail")


def _secret(servers: Servers, name: str) -> str:
    return (Path(servers.env["PICKLY_SECRETS"]) / name).read_text()


def _port(servers: Servers, variable: str) -> int:
    return urlsplit(servers.env[variable]).port or 0


async def _database(servers: Servers, role: str = "migrate", password: str = "") -> asyncpg.Connection:
    password = password or _secret(servers, f"pg_{role}")
    host = urlsplit(servers.env["PICKLY_DATABASE"])
    return await asyncpg.connect(
        f"postgresql://{role}:{password}@{host.netloc}{host.path}", timeout=10, ssl=False
    )


def _valkey(servers: Servers, password: str | None = None) -> redis.Redis:
    password = password or _secret(servers, "valkey")
    return redis.Redis(port=_port(servers, "PICKLY_VALKEY"), password=password, retry=ONCE)


def _s3(servers: Servers) -> "aioboto3.Session.client":
    session = aioboto3.Session(_secret(servers, "s3_access"), _secret(servers, "s3_secret"))
    style = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    return session.client("s3", endpoint_url=servers.env["PICKLY_S3"], region_name="local", config=style)


async def test_kafka_keeps_what_it_acknowledged_over_a_sigkill(servers: Servers) -> None:
    # given
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.env["PICKLY_KAFKA"])
    await admin.start()
    await admin.create_topics([NewTopic("kept.events", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers.env["PICKLY_KAFKA"], acks="all") as producer:
        for number in range(20):
            await producer.send_and_wait("kept.events", b"%d" % number)
    # when
    servers.kill("kafka")
    await asyncio.to_thread(servers.restart, "kafka")
    # then
    consumer = AIOKafkaConsumer(
        "kept.events", bootstrap_servers=servers.env["PICKLY_KAFKA"], auto_offset_reset="earliest"
    )
    async with consumer:
        values = [(await asyncio.wait_for(consumer.getone(), 60)).value for _ in range(20)]
    assert values == [b"%d" % number for number in range(20)]


async def test_kafka_makes_no_topic_by_itself(servers: Servers) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.env["PICKLY_KAFKA"])
    await admin.start()
    await admin.describe_topics(["nobody.made.this"])
    topics = await admin.list_topics()
    await admin.close()
    assert "nobody.made.this" not in topics


async def test_postgres_keeps_what_it_committed_over_a_sigkill(servers: Servers) -> None:
    connection = await _database(servers)
    await connection.execute("CREATE TABLE kept(n int); INSERT INTO kept SELECT generate_series(1, 1000)")
    connection.terminate()
    servers.kill("postgres")
    await asyncio.to_thread(servers.restart, "postgres")
    connection = await _database(servers)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1000
    await connection.close()


def test_valkey_keeps_what_it_wrote_over_a_sigkill(servers: Servers) -> None:
    with _valkey(servers) as client:
        client.set("kept", "yes")
        client.execute_command("WAITAOF", 1, 0, 10_000)
    servers.kill("valkey")
    servers.restart("valkey")
    with _valkey(servers) as client:
        assert client.get("kept") == b"yes"


async def test_s3_keeps_its_objects_over_a_sigkill(servers: Servers) -> None:
    async with _s3(servers) as client:
        await client.put_object(Bucket=s3.BUCKET, Key="kept/ü.jpg", Body=b"x" * 300_000)
    servers.kill("s3")
    await asyncio.to_thread(servers.restart, "s3")
    async with _s3(servers) as client:
        answer = await client.get_object(Bucket=s3.BUCKET, Key="kept/ü.jpg")
        assert await answer["Body"].read() == b"x" * 300_000


async def test_the_mailbox_keeps_what_it_acknowledged_over_a_sigkill(servers: Servers) -> None:
    mail = Mail("kept@example.org", "Kept", "yes")
    settings = Settings(smtp_port=int(servers.env["PICKLY_SMTP_PORT"]))
    await send(mail, settings)
    servers.kill("mail")
    await asyncio.to_thread(servers.restart, "mail")
    await send(mail, settings)
    kept = read(Path(servers.env["PICKLY_MAILBOX"]))
    assert [each["Subject"] for each in kept] == ["Kept", "Kept"]


async def test_a_clean_stop_and_start_keeps_ports_secrets_and_rows(servers: Servers) -> None:
    connection = await _database(servers)
    await connection.execute("CREATE TABLE clean(n int); INSERT INTO clean VALUES (7)")
    await connection.close()
    env = servers.env
    servers.stop(keep=True)
    assert all(is_free(_port(servers, name)) for name in ("PICKLY_DATABASE", "PICKLY_VALKEY", "PICKLY_S3"))
    again = start_servers(servers.folder)
    try:
        assert again.env == env
        connection = await _database(again)
        assert await connection.fetchval("SELECT n FROM clean") == 7
        await connection.close()
    finally:
        again.stop(keep=True)
        servers.start()


@pytest.mark.parametrize("name", NAMES)
def test_a_paused_server_stops_with_all_its_children_and_resumes(servers: Servers, name: str) -> None:
    process = psutil.Process(servers.pid(name))
    family = [process, *process.children(recursive=True)]
    servers.pause(name)
    stopped = {member.status() for member in family}
    servers.resume(name)
    assert stopped == {psutil.STATUS_STOPPED}
    until(lambda: psutil.STATUS_STOPPED not in {member.status() for member in family}, "all go on")


async def test_postgres_wants_the_password_of_the_role(servers: Servers) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _database(servers, password="wrong")


async def test_migrate_owns_the_database_and_is_no_superuser(servers: Servers) -> None:
    connection = await _database(servers)
    role = await connection.fetchrow("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'migrate'")
    owner = await connection.fetchval(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'pickly'"
    )
    await connection.close()
    assert role is not None
    assert (role["rolsuper"], role["rolcreaterole"], owner) == (False, True, "migrate")


def test_valkey_wants_its_password(servers: Servers) -> None:
    with pytest.raises(redis.AuthenticationError):
        _valkey(servers, password="wrong").ping()


async def test_s3_refuses_strangers(servers: Servers) -> None:
    async with _s3(servers) as client:
        await client.put_object(Bucket=s3.BUCKET, Key="private", Body=b"x")
    address = f"{servers.env['PICKLY_S3']}/{s3.BUCKET}/private"
    async with httpx.AsyncClient() as anonymous:
        assert (await anonymous.get(address)).status_code == 403
        assert (await anonymous.put(address, content=b"y")).status_code == 403


def test_no_secret_shows_in_the_process_list(servers: Servers) -> None:
    secrets = [path.read_text() for path in Path(servers.env["PICKLY_SECRETS"]).iterdir()]
    lines = [" ".join(psutil.Process(servers.pid(name)).cmdline()) for name in NAMES]
    assert not [secret for secret in secrets if any(secret in line for line in lines)]


def test_everything_listens_on_the_loopback_address_only(servers: Servers) -> None:
    for name in NAMES:
        listening = [c for c in psutil.Process(servers.pid(name)).net_connections() if c.status == "LISTEN"]
        assert listening
        assert {connection.laddr.ip.removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}


def test_a_server_that_cannot_start_stops_the_others(tmp_path: Path) -> None:
    (tmp_path / "valkey").write_text("a file where its folder should be")
    with pytest.raises(OSError, match="valkey"):
        start_servers(tmp_path, s3=False)
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if str(tmp_path) in line]


def test_the_servers_in_the_foreground_write_an_env_file_and_end_on_sigterm(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.local.servers", str(tmp_path)], cwd=Path(__file__).parents[3]
    )
    try:
        until((tmp_path / "env").exists, "the servers are ready")
        assert f"export PICKLY_SECRETS={tmp_path}/secrets" in (tmp_path / "env").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
        remove_outside(tmp_path / "postgres")
