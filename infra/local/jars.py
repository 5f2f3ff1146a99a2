"""Kafka's jars: fetched by coordinates with jgo, used only when their sha256 is the one in our lock.

`python -m infra.local.jars` resolves the versions named here again and writes the lock.
"""

import errno
import fcntl
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local.errors import StackError

ENDPOINT: Final = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
LOCK: Final = Path(__file__).parents[1] / "locks" / "jars.txt"
HEADER: Final = (
    "# Apache Kafka 4.3.1 and all it needs at run time: group:artifact:version sha256. "
    "Made by `python -m infra.local.jars`.\n"
)


@dataclass(frozen=True)
class Jar:
    """One locked jar."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, repository: Path) -> Path:
        """Where a Maven repository or cache keeps this jar."""
        folder = repository / self.group.replace(".", "/") / self.artifact / self.version
        return folder / f"{self.artifact}-{self.version}.jar"


def locked(lock: Path = LOCK) -> list[Jar]:
    """The jars of the lock, in class path order."""
    lines = (line for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(*line.replace(":", " ").split()) for line in lines]


def ensure(
    cache: Path,
    say: Callable[[str], None],
    lock: Path = LOCK,
    download: Callable[[Jar, Path], None] | None = None,
) -> list[Path]:
    """The class path: every jar of the lock in `cache`, verified; what is missing is copied from the user's
    Maven cache or downloaded. StackError when a jar cannot be had or is not the locked one."""
    jars = locked(lock)
    fetch = download or _download
    with _one_at_a_time(cache), ThreadPoolExecutor(max_workers=6) as pool:
        missing = [jar for jar in jars if not _is_genuine(jar, jar.path(cache))]
        for done, jar in enumerate(pool.map(lambda jar: _fetch(jar, cache, fetch), missing), 1):
            say(f"Kafka's jars: {done} of {len(missing)} fetched ({jar.artifact} {jar.version})")
    return [jar.path(cache) for jar in jars]


@contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    """Two stacks that share a cache do not fetch into it at the same time."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(jar: Jar, cache: Path, download: Callable[[Jar, Path], None]) -> Jar:
    path = jar.path(cache)
    path.unlink(missing_ok=True)
    if not _copied_from_home(jar, path):
        download(jar, cache)
    if not _is_genuine(jar, path):
        found = _sha256(path) if path.exists() else "nothing"
        path.unlink(missing_ok=True)
        raise StackError(
            f"{jar.artifact} {jar.version} was refused: its sha256 is {found}, the lock {LOCK.name} says "
            f"{jar.sha256}. Somebody between here and the Maven repository changes files; do not go on."
        )
    return jar


def _copied_from_home(jar: Jar, path: Path) -> bool:
    with suppress(OSError, RuntimeError):  # no home, or one that this user may not read
        at_home = jar.path(Path.home() / ".m2" / "repository")
        if _is_genuine(jar, at_home):
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(at_home, path)
            return True
    return False


def _download(jar: Jar, cache: Path) -> None:
    from jgo.maven import MavenContext  # slow to import, needed on the first start only

    context = MavenContext(repo_cache=cache, local_repos=[], timeout=60)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        component.artifact().resolve()
    except (OSError, RuntimeError) as error:
        jar.path(cache).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise StackError(
            f"{jar.artifact} {jar.version} could not be downloaded ({type(error).__name__}: {error}). "
            "The first start needs the network to fetch Kafka; check it (and HTTPS_PROXY), then try again."
        ) from None


def _is_genuine(jar: Jar, path: Path) -> bool:
    return path.exists() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lock_again() -> None:
    import jgo

    lines = {
        f"{a.groupId}:{a.artifactId}:{a.version} {_sha256(a.resolve())}\n" for a in jgo.resolve(ENDPOINT)
    }
    LOCK.write_text(HEADER + "".join(sorted(lines)))
    sys.stdout.write(f"{LOCK}: {len(lines)} jars\n")


if __name__ == "__main__":
    _lock_again()
