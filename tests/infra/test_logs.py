"""The log: JSON lines, no secrets, no flood."""

import asyncio
import json
import logging
import subprocess
import sys
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from infra.logs import LIMIT, LOGGER_LIMIT, TEMPLATES, WINDOW, FloodFilter, is_secret, without_secrets

CANARY = "canary-7f3a"


def lines_of(script: str, level: str = "INFO") -> list[dict[str, object]]:
    """What a process that runs `script` after `configure` writes to stderr."""
    setup = f"from infra import logs; logs.configure('test', '{level}'); import logging, structlog\n"
    done = subprocess.run([sys.executable, "-c", setup + script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_our_lines_and_libraries_lines_have_one_form() -> None:
    ours, theirs = lines_of(
        "structlog.get_logger('a').info('hello', n=1)\nlogging.getLogger('aiokafka').error('lost %s', 'node')"
    )

    assert {**ours, "timestamp": None} == {
        "event": "hello", "n": 1, "level": "info", "logger": "a", "process": "test", "timestamp": None,
    }  # fmt: skip
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("lost node", "error", "aiokafka")
    assert theirs["process"] == "test"


def test_warnings_are_lines_too() -> None:
    [line] = lines_of("import warnings; warnings.warn('old')")

    assert "old" in str(line["event"])


def test_no_secret_is_shown_wherever_it_hides() -> None:
    script = f"""
canary = '{CANARY}'
log = structlog.get_logger('a')
log.info('x', password=canary, nested={{'list': [{{'access_token': canary}}]}}, code=canary)
log.info('dsn postgresql://relay:' + canary + '@host/db and Bearer ' + canary)
logging.getLogger('asyncpg').error('%s', 'twice' + chr(10) + 'DETAIL: Key (x)=(' + canary + ') exists')
def fail(secret):
    raise ValueError('no')
try:
    fail(canary)
except ValueError:
    log.exception('failed')
"""
    lines = lines_of(script)

    assert len(lines) == 4
    assert CANARY not in json.dumps(lines)
    assert lines[3]["exception"]


def test_of_an_error_types_and_places_are_told_and_no_text() -> None:
    script = f"""
log = structlog.get_logger('a')
try:
    try:
        int('{CANARY}')
    except ValueError as error:
        raise KeyError('{CANARY}') from error
except KeyError as error:
    log.exception('failed')
    log.error('failed', exc_info=error)
    logging.getLogger('uvicorn.error').error('failed', exc_info=error)
    logging.getLogger('aiokafka').error('failed: %s', error)
"""
    lines = lines_of(script)

    assert len(lines) == 4
    assert CANARY not in json.dumps(lines)
    for line in lines[:3]:
        assert [link["error"] for link in line["exception"]] == ["KeyError", "ValueError"]  # type: ignore[attr-defined]  # JSON
    assert lines[3]["event"] == "failed: KeyError"


def test_nobody_writes_a_line_of_his_own() -> None:
    hostile = 'x\x1b[31m\r\n{"event": "forged"}\u2028\x9b'
    script = f"structlog.get_logger('a').info({hostile!r}, value={hostile!r})"
    setup = "from infra import logs; logs.configure('test', 'INFO'); import structlog\n"

    done = subprocess.run([sys.executable, "-c", setup + script], capture_output=True, text=True, check=True)

    [line] = done.stderr.removesuffix("\n").split("\n")
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["value"] == hostile


def test_inside_a_span_lines_say_which() -> None:
    inside, outside = lines_of(
        "from infra.telemetry.context import Context, inside\n"
        "with inside(Context('a' * 32, 'b' * 16, True)): logging.getLogger('aiokafka').error('lost')\n"
        "logging.getLogger('aiokafka').error('found')"
    )

    assert (inside["trace_id"], inside["span_id"]) == ("a" * 32, "b" * 16)
    assert "trace_id" not in outside


def test_libraries_never_log_their_values_at_debug_level() -> None:
    lines = lines_of("logging.getLogger('aiokafka.producer').debug('value %s', 'body')", level="DEBUG")

    assert lines == []


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("new_password", True),
        ("refreshToken", True),
        ("email", True),
        ("code", True),
        ("login-code", True),
        ("status_code", False),
        ("encoder", False),
        ("topic", False),
    ],
)
def test_a_name_tells_whether_its_value_is_secret(name: str, secret: bool) -> None:
    assert is_secret(name) is secret


def test_what_is_no_secret_stays_as_it_is() -> None:
    value = {"topic": "pick.events", "offsets": [1, 2], "ok": True, "url": "http://host/path", "none": None}

    assert without_secrets(value) == value


class Time:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(logger: str, template: str, *values: object) -> logging.LogRecord:
    """What a library hands to its handlers."""
    return logging.LogRecord(logger, logging.ERROR, "file", 1, template, values, None)


def test_a_flood_is_cut_per_template_and_goes_on_in_the_next_window() -> None:
    time = Time()
    flood = FloodFilter(time)

    passed = [flood.filter(record("aiokafka", "cannot reach %s", n)) for n in range(1_000)]
    other = flood.filter(record("aiokafka", "something else"))
    time.now = WINDOW
    later = flood.filter(record("aiokafka", "cannot reach %s", 1))

    assert sum(passed) == LIMIT
    assert other
    assert later


def test_numbers_do_not_make_a_message_another_one() -> None:
    flood = FloodFilter(Time())

    passed = sum(flood.filter(record("aiokafka", f"node {n} is away since {n} s")) for n in range(1_000))

    assert passed == LIMIT


def test_what_is_kept_back_is_a_metric_by_library() -> None:
    name, flood = f"chatty{uuid4().hex}", FloodFilter(Time())

    for n in range(LIMIT + 7):
        flood.filter(record(f"{name}.part", "again %s", n))

    assert REGISTRY.get_sample_value("pickly_log_lines_kept_back_total", {"logger": name}) == 7


def test_what_was_kept_back_is_counted_at_the_latest_when_the_process_ends() -> None:
    lines = lines_of("for n in range(7000): logging.getLogger('aiokafka').error('node %s', n)")

    assert len(lines) == LIMIT + 1
    assert lines[-1]["count"] == 7_000 - LIMIT
    assert lines[-1]["template"] == "node %s"


def test_messages_that_are_all_different_do_not_fill_the_memory() -> None:
    flood = FloodFilter(Time())

    passed = sum(flood.filter(record("chatty", f"node {uuid4()}")) for _ in range(10_000))

    assert passed <= LOGGER_LIMIT
    assert len(flood._kept) <= TEMPLATES + 1


def test_our_own_lines_are_never_cut() -> None:
    lines = lines_of("for n in range(50): structlog.get_logger('a').info('step', n=n)")

    assert [line["n"] for line in lines] == list(range(50))


async def test_an_exception_nobody_awaited_is_a_line_too() -> None:
    lines = await asyncio.to_thread(
        lines_of,
        "import asyncio, gc\n"
        "async def main():\n"
        "    asyncio.get_running_loop().create_future().set_exception(ValueError('lost'))\n"
        "    gc.collect()\n"
        "asyncio.run(main())",
    )

    assert [line["logger"] for line in lines] == ["asyncio"]
