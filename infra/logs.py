"""Logging, configured once per process: JSON lines on stderr, without secrets, and never a flood.

Our own code logs through structlog; libraries log through the standard library, share the same lines, and are
rate-limited, because aiokafka alone writes thousands of lines in one outage of the broker.
"""

import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Final

import structlog
from prometheus_client import Counter as Counted

from infra.telemetry.context import current
from infra.telemetry.errors import chain, describe

LIMIT: Final = 5
LOGGER_LIMIT: Final = 50
WINDOW: Final = 10.0
TEMPLATES: Final = 100
NUMBERS: Final = re.compile(r"\d+")
TEMPLATE_CHARS: Final = 200
HIDDEN: Final = "(hidden)"
SECRET_PARTS: Final = ("passw", "secret", "token", "authorization", "cookie", "email", "credential")
SECRET_WORDS: Final = frozenset({"code", "otp", "pin", "dsn", "passphrase", "apikey"})
NO_SECRETS: Final = frozenset({"status_code", "exit_code", "error_code"})
# Credentials in an address, bearer tokens and JWTs, and PostgreSQL's DETAIL, which quotes the row.
SECRET_TEXT: Final = re.compile(
    r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)|(?<=[Bb]earer )\S+|eyJ[\w-]{8,}\.[\w.-]+|(?<=DETAIL: ).*"
)
# Below INFO these write records and statements with their values.
TALKATIVE: Final = ("aiokafka", "asyncpg", "faststream", "asyncio", "uvicorn", "botocore", "aiobotocore")

KEPT_BACK: Final = Counted(
    "pickly_log_lines_kept_back_total", "Lines of libraries that were not logged, by library.", ["logger"]
)

log = structlog.get_logger(__name__)


class FloodFilter(logging.Filter):
    """Lets LIMIT records per logger and template through in WINDOW seconds, LOGGER_LIMIT per logger.

    The rest is counted: in `pickly_log_lines_kept_back_total` at once, in the log by the first record of any
    kind after the window, or at exit (`report`). Numbers in a template count as equal, for libraries that
    format their messages themselves.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.RLock()
        self._ends = 0.0
        self._loggers: Counter[str] = Counter()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._kept: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass."""
        if isinstance(record.msg, Mapping):  # ours, by way of structlog
            return True
        with self._lock:
            if self._now() >= self._ends:
                self.report()
                self._ends = self._now() + WINDOW
            kind = (record.name, NUMBERS.sub("#", str(record.msg)[:TEMPLATE_CHARS]))
            if self._loggers[record.name] < LOGGER_LIMIT and self._seen[kind] < LIMIT:
                self._loggers[record.name] += 1
                self._seen[kind] += 1
                return True
            if kind not in self._kept and len(self._kept) >= TEMPLATES:
                kind = (record.name, "")
            self._kept[kind] += 1
        KEPT_BACK.labels(record.name.partition(".")[0]).inc()
        return False

    def report(self) -> None:
        """Begin a new window; say what was kept back in the last one."""
        with self._lock:
            kept, self._kept = self._kept, Counter()
            self._loggers.clear()
            self._seen.clear()
        for (name, template), count in kept.items():
            log.warning("log lines kept back", of=name, template=template, count=count)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs, not at run time
    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._flood = FloodFilter()
        self.addFilter(self._flood)
        self.addFilter(_quote_no_errors)

    def close(self) -> None:
        self._flood.report()
        super().close()


def is_secret(name: str) -> bool:
    """Whether a field of this name must not be shown."""
    lower = name.lower()
    if lower in NO_SECRETS:
        return False
    return any(part in lower for part in SECRET_PARTS) or bool(
        SECRET_WORDS & set(re.split(r"[^a-z0-9]+", lower))
    )


def without_secrets(value: object) -> object:
    """A copy of `value` in which fields with secret names and recognisable secrets inside text are hidden."""
    if isinstance(value, str):
        return SECRET_TEXT.sub(HIDDEN, value)
    if isinstance(value, Mapping):
        return {key: HIDDEN if is_secret(str(key)) else without_secrets(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [without_secrets(item) for item in value]
    return value


def _hide(_: object, __: str, event: MutableMapping[str, object]) -> Mapping[str, object]:
    return {key: HIDDEN if is_secret(key) else without_secrets(item) for key, item in event.items()}


def _trace(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Inside a span, which one."""
    context = current.get()
    if context is not None:
        event["trace_id"], event["span_id"] = context.trace_id, context.span_id
    return event


def _exception(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """An exception by its types and places: its text and its locals may hold anything."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if isinstance(error, BaseException):
        event["exception"] = chain(error)
    return event


def _quote_no_errors(record: logging.LogRecord) -> bool:
    """Libraries format exceptions into their messages: put in what may be told of them."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            describe(each) if isinstance(each, BaseException) else each for each in record.args
        )
    return True


def configure(process: str, level: str) -> None:
    """Send all logs of this process to stderr as JSON with its name; libraries log INFO and above."""

    def name(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        event["process"] = process
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name,
        _trace,
        _exception,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _hide,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    logging.captureWarnings(True)
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for library in TALKATIVE:
        logging.getLogger(library).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
