"""What consumers may not do: ask a clock, draw lots, send; and who may touch the broker and the tokens."""

import ast
from collections.abc import Iterator
from typing import Final

from tests.house.lints.names import mentions, within
from tests.house.source import File, Violation

CLOCKS_AND_LOTS: Final = frozenset(
    {
        *(
            "time",
            "random",
            "secrets",
            "uuid_utils",
            "numpy.random",
            "os.urandom",
            "os.getrandom",
            "os.times",
        ),
        *(
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
        ),
        *(f"uuid.uuid{version}" for version in (1, 4, 6, 7, 8)),
        *("asyncio.sleep", "asyncio.get_running_loop", "asyncio.get_event_loop"),
    }
)
SENDERS: Final = frozenset(
    {"producers", "faststream", "aiokafka", "redis", "httpx", "aiohttp", "requests", "socket", "smtplib"}
    | {"urllib.request", "http.client"}
)
SENDING: Final = frozenset({"send", "send_and_wait", "send_batch", "publish", "produce", "notify"})
RUNTIME: Final = ("infra/runtime", "tests/infra/runtime")
TOKENS: Final = "infra/tokens.py"
FORGERS: Final = "tests/infra"


def consumers_know_no_clock_and_no_chance(file: File) -> Iterator[Violation]:
    """Consumers use no clock and no randomness, so that a replay decides the same: `Meta.at` is the time."""
    if file.is_python and file.under("consumers"):
        for name, line in mentions(file.tree):
            if within(name, CLOCKS_AND_LOTS):
                yield file.broken(line, f"clock or chance in a consumer: {name}")


def handlers_send_nothing(file: File) -> Iterator[Violation]:
    """Handlers return messages; the runtime sends them after COMMIT."""
    if not (file.is_python and file.under("consumers")):
        return
    for name, line in mentions(file.tree):
        if within(name, SENDERS):
            yield file.broken(line, f"a consumer knows a way out: {name}")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDING:
            yield file.broken(node.lineno, f"a consumer sends: .{node.func.attr}()")


def only_the_runtime_subscribes(file: File) -> Iterator[Violation]:
    """FastStream's acknowledgement policies lose messages, spin or skip; infra/runtime alone uses it."""
    if not file.is_python or file.under(*RUNTIME):
        return
    for name, line in mentions(file.tree):
        if within(name, frozenset({"faststream"})) and name.endswith(".AckPolicy"):
            yield file.broken(line, "AckPolicy outside infra/runtime")
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("subscriber", "batch_subscriber"):
            yield file.broken(node.lineno, "a FastStream subscriber outside infra/runtime")


def only_the_token_module_imports_jose(file: File) -> Iterator[Violation]:
    """python-jose takes forged tokens unless every option is pinned; one module does, and its tests forge."""
    if file.is_python and file.path != TOKENS and not file.under(FORGERS):
        for name, line in mentions(file.tree):
            if within(name, frozenset({"jose"})):
                yield file.broken(line, f"jose outside {TOKENS}")
