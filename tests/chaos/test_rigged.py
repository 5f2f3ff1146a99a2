"""Fail points strike as asked, and not when all is to be calm."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.points import Point
from tests.chaos.processes import Rig

STRUCK = """
import asyncio, sys
from pathlib import Path
from infra.runtime import positions
from tests.chaos.points import Point, plant
async def fence(): return None
positions.fence = fence
plant([Point("fenced", "kill", 1.0)], "seed", Path(sys.argv[1]))
asyncio.run(positions.fence())
"""


@pytest.mark.parametrize(("calm", "code"), [(False, -signal.SIGKILL), (True, 0)])
def test_a_point_strikes_unless_all_is_calm(tmp_path: Path, calm: bool, code: int) -> None:
    file = tmp_path / "calm"
    if calm:
        file.touch()

    done = subprocess.run([sys.executable, "-c", STRUCK, str(file)], check=False)

    assert done.returncode == code


@pytest.mark.parametrize("text", ["fenced", "fenced:sleep:1", "nowhere:kill:1", "fenced:kill:often"])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"point|values|float|unpack"):
        Point.parse(text)


def test_only_processes_that_pass_a_point_are_rigged(tmp_path: Path) -> None:
    rig = Rig(seed=1, points=(Point("read", "freeze", 0.5),))

    relay = rig.command("relay-1", ("producers.relay",), 0, tmp_path)
    group = rig.command("curation-1", ("consumers", "curation"), 0, tmp_path)
    gateway = rig.command("gateway", ("gateway",), 0, tmp_path)

    assert relay[1] == "tests.chaos.rigged"
    assert "read:freeze:0.5" in relay
    assert group == ["-m", "consumers", "curation"]
    assert gateway == ["-m", "gateway"]


def test_each_life_of_a_process_has_a_seed_of_its_own(tmp_path: Path) -> None:
    rig = Rig(seed=1, control="no-inbox")

    first, second = (rig.command("social-1", ("consumers", "social"), life, tmp_path) for life in (0, 1))

    assert first != second
    assert "no-inbox" in first
