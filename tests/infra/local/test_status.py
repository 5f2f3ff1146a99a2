"""`status` tells the truth at each moment."""

import os
import signal
from pathlib import Path

from infra.local.status import Status, look, table
from tests.infra.local.running import Up, alive, pids, states
from tests.infra.local.standin import probe
from tests.infra.local.waiting import until


def test_status_says_restarting_not_ready_and_why(folder: Path) -> None:
    # given a part that crashes, and one that is not ready
    Up(folder).ready()
    (folder / "worker.crash").touch()
    (folder / "server.unready").write_text("42 records behind")
    # when
    os.kill(pids(folder)["worker"], signal.SIGKILL)
    # then
    until(lambda: "exit code 3" in str(look(folder, probe)["parts"][1]["why"]), "it crashes again")
    status = look(folder, probe)
    parts = {part["name"]: part for part in status["parts"]}
    assert not status["ready"]
    assert (parts["server"]["state"], parts["server"]["why"]) == ("not ready", "not ready: 42 records behind")
    assert parts["worker"]["state"] == "restarting"
    assert parts["worker"]["restarts"] >= 1
    assert parts["gateway"]["state"] == "running"
    shown = table(status)
    assert "42 records behind" in shown
    assert "NOT ready" in shown


def test_status_never_shows_a_dead_process_as_running(folder: Path) -> None:
    """Even when it is asked before the supervisor has noticed: its process is stopped meanwhile."""
    stack = Up(folder).ready()
    stack.process.send_signal(signal.SIGSTOP)
    os.kill(pids(folder)["gateway"], signal.SIGKILL)
    until(lambda: "gateway" not in alive(folder), "it is dead")
    assert states(folder)["gateway"] == "restarting"
    stack.process.send_signal(signal.SIGCONT)


def test_status_of_an_empty_folder_is_empty(tmp_path: Path) -> None:
    status: Status = {"ready": False, "gateway": None, "parts": []}
    assert look(tmp_path, probe) == status
    assert "./pickly up" in table(status)
