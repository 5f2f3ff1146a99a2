"""The one image: built from the hashed lock, not as root, and holding all that its processes import."""

import ast
import importlib.metadata
import re
import sys
from typing import Final

import pytest

from tests.house.lints.names import mentions
from tests.house.source import ROOT, File, files

FOLDER: Final = ROOT / "infra/deploy/images"
IN_THE_IMAGE: Final = ("schemas", "infra", "producers", "consumers", "gateway")
# Work on the repository itself, with packages that only developers have.
LEFT_OUT: Final = ("infra/deploy", "infra/local", "infra/ops/docs.py")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile, one (INSTRUCTION, arguments) per line, continuations joined."""
    text = (FOLDER / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, re.sub(r"\s+", " ", rest)) for word, _, rest in (line.partition(" ") for line in lines)]


def packed() -> list[File]:
    """The modules that the image holds."""
    return [f for f in files() if f.is_python and f.under(*IN_THE_IMAGE) and not f.path.startswith(LEFT_OUT)]


def locked() -> set[str]:
    """The names of the packages in the image's lock, normalised (PEP 503)."""
    lines = (ROOT / "infra/locks/image.txt").read_text().splitlines()
    return {normalised(re.split(r"[=\[ ;]", line)[0]) for line in lines if line[:1].isalnum()}


def normalised(name: str) -> str:
    """The one spelling of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_packages_come_from_the_lock_and_every_one_is_checked() -> None:
    [install] = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]

    assert "--require-hashes" in install
    assert "--no-deps" in install
    assert ("COPY", "infra/locks/image.txt /locks/image.txt") in instructions()
    assert install.endswith("-r /locks/image.txt")


def test_the_lock_pins_and_hashes_every_package() -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / "infra/locks/image.txt").read_text().strip())

    assert len(entries) > 30
    assert not [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]


def test_it_does_not_run_as_root() -> None:
    users = [rest for word, rest in instructions() if word == "USER"]

    assert users
    assert all(int(number) > 0 for number in users[-1].split(":"))


def test_the_base_image_is_pinned_and_can_be_replaced() -> None:
    bases = [rest.split(" ")[0] for word, rest in instructions() if word == "FROM"]
    [default] = [rest for word, rest in instructions() if word == "ARG"]

    assert set(bases) == {"${PYTHON_IMAGE}"}
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.11\.\d+-slim-\w+", default)
    assert default.partition("=")[2] in (ROOT / "docker-compose.yml").read_text()


def test_the_packages_are_importable_from_anywhere() -> None:
    [environment] = [rest for word, rest in instructions() if word == "ENV"]
    copied = dict(rest.split(" ") for word, rest in instructions() if word == "COPY" and "--from" not in rest)

    assert "PYTHONPATH=/app" in environment
    assert {name: copied.get(name) for name in IN_THE_IMAGE} == {
        name: f"/app/{name}" for name in IN_THE_IMAGE
    }


def test_the_builder_gets_only_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules == ["*", *(f"!{name}" for name in IN_THE_IMAGE), *LEFT_OUT, "**/__pycache__", "**/*.pyc"]


def test_what_is_in_the_image_needs_nothing_of_what_is_left_out() -> None:
    outside = {"tests", "clients", *(path.removesuffix(".py").replace("/", ".") for path in LEFT_OUT)}
    found = [
        f"{file.path}:{line}: {name}"
        for file in packed()
        for name, line in mentions(file.tree)
        if any(name == module or name.startswith(f"{module}.") for module in outside)
    ]

    assert not found


def test_every_package_that_it_imports_is_in_its_lock() -> None:
    provided = importlib.metadata.packages_distributions()
    names = {name.partition(".")[0] for file in packed() for name in _imported(file.tree)}
    foreign = names - set(sys.stdlib_module_names) - set(IN_THE_IMAGE)

    missing = {name for name in foreign if not set(map(normalised, provided.get(name, []))) & locked()}

    assert {"asyncpg", "faststream"} <= foreign
    assert not missing


@pytest.mark.parametrize("text", ["import os, jgo.maven", "def f():\n    from jgo import resolve"])
def test_an_import_that_the_lock_lacks_is_seen(text: str) -> None:
    names = {name.partition(".")[0] for name in _imported(ast.parse(text))}

    assert "jgo" in names
    assert "jgo" not in locked()


def _imported(tree: ast.Module) -> set[str]:
    """Modules that are imported for real, not for type checkers only."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    typing_only = {child for block in blocks for statement in block.body for child in ast.walk(statement)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found
