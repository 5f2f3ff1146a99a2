"""The table of all metrics in `docs/telemetry.md`: `python -m tests.infra.telemetry.metrics_table` writes it.

All processes are imported, so that every metric of ours is registered, and those of the library with them.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY

DOCUMENT: Final = Path("docs/telemetry.md")
BEGIN, END = "<!-- metrics: generated -->\n", "<!-- end of metrics -->\n"
PROCESSES: Final = ("gateway.__main__", "consumers.__main__", "producers.relay", "producers.clock")
ON_DEMAND: Final = ("infra.telemetry.export",)
"""Imported only where a collector is configured."""


def rows() -> Iterator[str]:
    """A row for each metric: name, type, labels, what it tells."""
    for module in (*PROCESSES, *ON_DEMAND):
        importlib.import_module(module)
    labels: dict[str, tuple[str, ...]] = {}
    for collector in list(REGISTRY._collector_to_names):
        labels |= {
            name: getattr(collector, "_labelnames", ()) for name in REGISTRY._collector_to_names[collector]
        }
    for family in sorted(REGISTRY.collect(), key=lambda family: family.name):
        known = labels.get(family.name, ())
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {', '.join(known)} | {family.documentation} |"


def table() -> str:
    """The whole table."""
    head = ["| metric | type | labels | what it tells |", "|---|---|---|---|"]
    return "\n".join([*head, *rows()]) + "\n"


def written(text: str) -> str:
    """The document with the table of today."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
