"""What runs, looked at now: processes by pid and start time, parts by their own word on being ready."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

from infra.local.state import PartState, StackState, find, read

Probe = Callable[[Path, str, int], str | None]  # of the part with this name and port: None, or why not ready


class PartStatus(TypedDict):
    """One line of `status`."""

    name: str
    state: str
    pid: int | None
    port: int | None
    uptime: float | None  # seconds in this state, while running
    restarts: int
    why: str


class Status(TypedDict):
    """The answer of `status --json`."""

    ready: bool
    gateway: str | None
    parts: list[PartStatus]


def look(folder: Path, probe: Probe) -> Status:
    """The truth now."""
    state = read(folder)
    if state is None:
        return {"ready": False, "gateway": None, "parts": []}
    supervised = find(state["supervisor"]) is not None
    shown = [part for part in state["parts"] if not (part["once"] and part["state"] in ("done", "stopped"))]
    with ThreadPoolExecutor(max_workers=max(1, len(shown))) as pool:
        parts = list(pool.map(lambda part: _part(folder, part, supervised, probe), shown))
    ready = supervised and state["up"] and all(part["state"] == "running" for part in parts)
    return {"ready": ready, "gateway": _gateway(state, parts), "parts": parts}


def _part(folder: Path, part: PartState, supervised: bool, probe: Probe) -> PartStatus:
    process = find(part["process"])
    state, why = _judge(part, supervised, process is not None)
    running = state == "running"
    if running and part["port"] is not None and (why := probe(folder, part["name"], part["port"]) or ""):
        state = "not ready"
    return {
        "name": part["name"],
        "state": state,
        "pid": process.pid if process is not None else None,
        "port": part["port"],
        "uptime": round(time.time() - part["since"], 1) if running else None,
        "restarts": part["restarts"],
        "why": why,
    }


def _judge(part: PartState, supervised: bool, alive: bool) -> tuple[str, str]:
    if not supervised:
        return (
            ("orphaned", "its supervisor is gone: run ./pickly up or ./pickly down")
            if alive
            else ("stopped", "")
        )
    if part["state"] == "running" and not alive:
        return "restarting", "it ended just now"
    return part["state"], part["why"]


def _gateway(state: StackState, parts: list[PartStatus]) -> str | None:
    return state["gateway"] if any(part["pid"] for part in parts) else None


def table(status: Status) -> str:
    """The status for people."""
    if not status["parts"]:
        return "nothing runs: ./pickly up starts it"
    lines = [f"{'PART':<14}{'STATE':<12}{'PID':>8}{'PORT':>7}{'UPTIME':>10}{'RESTARTS':>10}  "]
    for part in status["parts"]:
        uptime = "" if part["uptime"] is None else _duration(part["uptime"])
        numbers = f"{part['pid'] or '-':>8}{part['port'] or '-':>7}{uptime or '-':>10}{part['restarts']:>10}"
        why = part["why"].removeprefix(f"{part['name']} ").partition("\n")[0]
        lines.append(f"{part['name']:<14}{part['state']:<12}{numbers}  {why}".rstrip())
    lines.append(
        f"\n{'ready' if status['ready'] else 'NOT ready'}; gateway {status['gateway'] or 'not running'}"
    )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"
