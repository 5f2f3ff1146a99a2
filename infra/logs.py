"""Logging, configured once per process: JSON lines on stderr, without secrets, and never a flood.

Our own code logs through structlog; libraries log through the standard library, share the same lines, and are
rate-limited, because aiokafka alone writes thousands of lines in one outage of the broker.
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Final

import structlog
from structlog.tracebacks import ExceptionDictTransformer

LIMIT: Final = 5
WINDOW: Final = 10.0
TEMPLATES: Final = 1_000
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

log = structlog.get_logger(__name__)


class FloodFilter(logging.Filter):
    """Lets LIMIT records per logger and message template through in WINDOW seconds and counts the rest.

    The count is told by the first record of any kind after the window, or at exit (`report`).
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._lock = threading.RLock()
        self._windows: dict[tuple[str, str], list[float]] = {}  # logger, template: [window's end, seen]

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass."""
        if isinstance(record.msg, Mapping):  # ours, by way of structlog
            return True
        with self._lock:
            self.report(over_before=self._now())
            key = (record.name, str(record.msg)[:TEMPLATE_CHARS])
            if key not in self._windows and len(self._windows) >= TEMPLATES:
                key = (record.name, "")  # a library that formats its messages itself
            window = self._windows.setdefault(key, [self._now() + WINDOW, 0])
            window[1] += 1
            return window[1] <= LIMIT

    def report(self, over_before: float = float("inf")) -> None:
        """Forget the windows that are over by then; say what each kept back."""
        with self._lock:
            over = [key for key, (end, _) in self._windows.items() if end <= over_before]
            counts = [(key, int(self._windows.pop(key)[1]) - LIMIT) for key in over]
        for (name, template), count in counts:
            if count > 0:
                log.warning("log lines kept back", of=name, template=template, count=count)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs, not at run time
    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._flood = FloodFilter()
        self.addFilter(self._flood)

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
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
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
