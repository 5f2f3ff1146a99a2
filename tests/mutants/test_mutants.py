"""Every mutant is noticed: today's part in CI, all of them under `./pickly test --all`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.__main__ import judge, named_in
from tests.mutants.catalogue import Mutant, catalogue, part

PARTS: Final = 12
"""How many days it takes until each had its turn; a part takes less than three minutes on two cores."""


def survivors(mutants: Sequence[Mutant], folder: Path, env: Mapping[str, str]) -> list[str]:
    verdicts = judge(mutants, folder, named_in(folder / "env", env))
    return [f"{each.mutant.id}: {each.mutant.stands_for}" for each in verdicts if not each.killed]


def test_todays_part_of_the_mutants_is_noticed(
    tmp_path: Path, server_env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    mutants = list(catalogue().values())
    number = datetime.now(UTC).toordinal() % PARTS + 1
    chosen = part(mutants, number, PARTS)

    with capsys.disabled():
        names = ", ".join(mutant.id for mutant in chosen)
        print(f"\nmutants, part {number} of {PARTS}: {len(chosen)} of {len(mutants)}: {names}")  # noqa: T201  # what ran is news
        left = survivors(chosen, tmp_path, server_env)

    assert left == []


@pytest.mark.long
def test_every_mutant_is_noticed(tmp_path: Path, server_env: dict[str, str]) -> None:
    assert survivors(list(catalogue().values()), tmp_path, server_env) == []
