"""One migration file: whole or not at all, in order, and patient with those who use its tables."""

from typing import TYPE_CHECKING

import pytest

from infra.ops.migrate import MigrationError
from infra.ops.migrations_files import Migration
from infra.ops.migrations_runner import apply, make_schema, patiently, pending
from infra.settings import Settings
from tests.infra.ops.conftest import Connect, tables_of

if TYPE_CHECKING:
    from asyncpg import Connection


async def test_a_file_that_comes_before_an_applied_one_is_refused(empty: Settings, connect: Connect) -> None:
    owner = await connect(empty, "migrate")
    await make_schema(owner, "one")
    await apply(owner, "one", Migration("one/0002_b.sql", "CREATE TABLE b ()"))
    late = Migration("one/0001_a.sql", "CREATE TABLE a ()")

    with pytest.raises(MigrationError, match=r"one/0001_a\.sql is new, but one/0002_b\.sql has been applied"):
        await pending(owner, "one", [late])


async def test_a_file_that_fails_leaves_nothing_and_names_its_line(empty: Settings, connect: Connect) -> None:
    owner = await connect(empty, "migrate")
    await make_schema(owner, "one")
    broken = Migration("one/0001_a.sql", "CREATE TABLE a ();\n\nCREATE TABLE b (c nonsense);")

    with pytest.raises(MigrationError, match=r"one/0001_a\.sql:3: .*nonsense"):
        await apply(owner, "one", broken)

    assert await tables_of(owner, "one") == {"migration"}
    assert await pending(owner, "one", [broken]) == [broken]


async def test_a_file_is_run_and_written_down_together_or_not_at_all(
    empty: Settings, connect: Connect
) -> None:
    owner = await connect(empty, "migrate")
    await make_schema(owner, "one")
    unrecorded = Migration("one/0001_a.sql", "CREATE TABLE a (); ALTER TABLE migration DROP COLUMN checksum")

    with pytest.raises(MigrationError, match="checksum"):
        await apply(owner, "one", unrecorded)

    assert await tables_of(owner, "one") == {"migration"}
    assert await pending(owner, "one", [unrecorded]) == [unrecorded]


async def test_a_busy_table_is_waited_for(
    empty: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.ops.migrations_runner.PAUSE", 0.01)
    owner, user = await connect(empty, "migrate"), await connect(empty, "migrate")
    await make_schema(owner, "one")
    await apply(owner, "one", Migration("one/0001_a.sql", "CREATE TABLE a ()"))
    await owner.execute("SET lock_timeout = '50ms'")
    reading = user.transaction()
    await reading.start()
    await user.fetch("SELECT FROM one.a")
    tries = 0

    async def widen() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            await reading.rollback()
        await apply(owner, "one", Migration("one/0002_b.sql", "ALTER TABLE a ADD COLUMN b int"))

    await patiently("one", widen)

    assert tries == 3


async def test_a_table_that_stays_busy_ends_the_migration(
    empty: Settings, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.ops.migrations_runner.PAUSE", 0.01)
    owner, user = await connect(empty, "migrate"), await connect(empty, "migrate")
    await owner.execute("CREATE SCHEMA one CREATE TABLE a ()")
    await owner.execute("SET lock_timeout = '20ms'")

    async with user.transaction():
        await user.fetch("SELECT FROM one.a")
        with pytest.raises(MigrationError, match="in use"):
            await patiently("one", lambda: drop(owner))


async def drop(owner: "Connection") -> None:
    await owner.execute("DROP TABLE one.a")
