"""Errors in words: types and harmless details, nobody's values."""

import json

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError
from redis.exceptions import ConnectionError as ValkeyAwayError
from redis.exceptions import ResponseError

from infra.runtime.fates import OutageError
from infra.settings import Settings
from infra.telemetry.errors import chain, describe, raised_at, type_name

CANARY = "c4n4ry@example.org"
ESCAPES = "\x1b[31m\r\nfake: line"


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT '{CANARY}'::uuid",
        f"SELECT '{CANARY}'::int",
        "SELECT 'x' FROM nowhere WHERE '" + CANARY + "' = 1",
        f"DO $$ BEGIN RAISE EXCEPTION '{CANARY}'; END $$",
    ],
)
async def test_postgresql_quotes_values_and_we_do_not(settings: Settings, statement: str) -> None:
    connection = await asyncpg.connect(settings.dsn("postgres"))
    with pytest.raises(asyncpg.PostgresError) as raised:
        await connection.execute(statement)
    await connection.close()

    told = describe(raised.value)
    assert CANARY in str(raised.value) or "nowhere" in str(raised.value)
    assert CANARY not in told
    assert told.startswith(f"{type(raised.value).__name__}: {raised.value.sqlstate}")


async def test_a_broken_rule_is_told_by_its_name(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.dsn("postgres"))
    await connection.execute("CREATE TEMP TABLE told (id text CONSTRAINT only_once UNIQUE)")
    with pytest.raises(asyncpg.UniqueViolationError) as raised:
        await connection.execute(f"INSERT INTO told VALUES ('{CANARY}'), ('{CANARY}')")
    await connection.close()

    assert CANARY in str(raised.value.detail)
    assert describe(raised.value).endswith("told only_once")
    assert CANARY not in describe(raised.value)


async def test_arguments_that_do_not_fit_are_not_quoted(settings: Settings) -> None:
    connection = await asyncpg.connect(settings.dsn("postgres"))
    with pytest.raises(asyncpg.DataError) as raised:
        await connection.fetch("SELECT $1::int", CANARY)
    await connection.close()

    assert CANARY in str(raised.value)
    assert describe(raised.value) == "DataError: 22000"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError(CANARY), "ValueError"),
        (KeyError(CANARY), "KeyError"),
        (OSError(CANARY), "OSError"),
        (ResponseError(CANARY), "ResponseError"),
        (ConnectionRefusedError(111, "Connection refused"), "ConnectionRefusedError: Connection refused"),
        (OutageError("storage is away"), "OutageError: storage is away"),
        (ValkeyAwayError("Error 111 connecting"), "ConnectionError: Error 111 connecting"),
        (OutageError(ESCAPES), "OutageError: ?[31m??fake: line"),
    ],
)
def test_each_kind_of_error_in_words(error: Exception, told: str) -> None:
    assert describe(error) == told


def test_brokers_are_named() -> None:
    assert "127.0.0.1" in describe(KafkaConnectionError("no connection to 127.0.0.1:9092"))


def test_a_chain_is_told_from_the_last_to_the_first() -> None:
    try:
        try:
            int(CANARY)
        except ValueError:
            raise KeyError(CANARY) from ExceptionGroup("many", [TypeError(CANARY)])
    except KeyError as error:
        told = chain(error)

    assert [each["error"] for each in told] == ["KeyError", "ExceptionGroup", "TypeError"]
    assert CANARY not in str(told)
    assert "test_errors.py" in str(told[0]["frames"])


def test_where_it_was_raised_is_told_by_our_last_line() -> None:
    with pytest.raises(json.JSONDecodeError) as raised:
        json.loads("{" + CANARY)

    assert raised_at(raised.value).startswith("tests/infra/telemetry/test_errors.py:")
    assert raised_at(ValueError("never raised")) == "elsewhere"


@pytest.mark.parametrize("text", ["PickPublished", "Tick"])
def test_a_types_name_is_shown(text: str) -> None:
    assert type_name(text) == text


@pytest.mark.parametrize("text", [CANARY, "eyJhbGci", "Secret123", "", f"Pick{ESCAPES}", "A" * 1_000])
def test_what_is_no_types_name_is_not(text: str) -> None:
    assert text not in type_name(text) or text == ""
