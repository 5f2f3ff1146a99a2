"""Places in the sequence of the runtime at which a process of the tests can be made to die or freeze."""

from typing import Any, Final

from asyncpg.transaction import Transaction

from infra.runtime import ledger, positions
from infra.runtime.intake import Intake
from infra.runtime.poll import Poller

POINTS: Final[dict[str, tuple[Any, str, bool]]] = {
    "polled": (Poller, "apply", True),
    "begun": (positions, "fence", True),
    "fenced": (positions, "fence", False),
    "handled": (ledger, "write", True),
    "written": (ledger, "write", False),
    "uncommitted": (Transaction, "__aexit__", True),
    "committed": (Transaction, "__aexit__", False),
    "told": (Intake, "commit_to_kafka", False),
}
"""Before (True) or after (False) a function of the runtime."""
