"""Every metric of every process is listed, with a comment, and has labels of few values."""

import subprocess
import sys
from typing import Final

from tests.infra.telemetry.metrics_table import BEGIN, DOCUMENT, END

PRINT: Final = "from tests.infra.telemetry.metrics_table import table; print(table(), end='')"
FEW: Final = {
    *("error", "fate", "group", "kind", "logger", "method", "result", "route", "schema", "status"),
    *("purpose", "topic", "type"),
}
"""Labels whose values are those of the contract, of our code, or a handful; ids and texts are none."""


def registered() -> str:
    """The table that a fresh process makes: tests may have metrics of their own."""
    return subprocess.run([sys.executable, "-c", PRINT], capture_output=True, text=True, check=True).stdout


def test_the_list_is_that_of_the_code() -> None:
    _, _, rest = DOCUMENT.read_text().partition(BEGIN)

    assert registered() == rest.partition(END)[0], "run python -m tests.infra.telemetry.metrics_table"


def test_every_metric_has_a_comment_and_labels_of_few_values() -> None:
    for line in registered().splitlines()[2:]:
        name, kind, labels, comment = (part.strip() for part in line.strip("| ").split("|"))
        assert comment, name
        assert kind in ("counter", "gauge", "histogram", "summary", "info")
        assert set(filter(None, labels.split(", "))) <= FEW, name
