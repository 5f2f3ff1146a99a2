"""The ledger gives back what was recorded, whatever became of its writer."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from tests.chaos.ledger import Attempt, Ledger, read

ATTEMPT = Attempt(uuid4(), "k/ä", 3, "React", "reaction.commands", "ab", "http", 12.5, "unknown", "", "a\nb")


def test_what_is_recorded_is_read_in_its_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    again = replace(ATTEMPT, outcome="acked", poison="no_type")

    ledger.record(ATTEMPT)
    ledger.record(again)

    assert read(tmp_path / "ledger") == [ATTEMPT, again]  # before it is closed: each line is flushed
    ledger.close()


def test_a_second_writer_goes_on_behind_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        ledger = Ledger(tmp_path / "ledger")
        ledger.record(ATTEMPT)
        ledger.close()

    assert read(tmp_path / "ledger") == [ATTEMPT, ATTEMPT]


def test_half_a_line_was_never_recorded(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.record(ATTEMPT)
    ledger.close()
    with (tmp_path / "ledger").open("a") as file:
        file.write('{"id": "')

    assert read(tmp_path / "ledger") == [ATTEMPT]
