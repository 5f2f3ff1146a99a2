"""What no file may hold: addresses of registries, one machine's paths, left-overs, unexplained exceptions."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import Final

from tests.house.source import File, Violation

# Spelled so that this file does not hold what it looks for.
REGISTRY: Final = re.compile(
    r"[p]ypi\.org|[p]ythonhosted\.|[r]egistry\.npmjs|[r]egistry\.yarnpkg|[d]eb\.debian|[s]ecurity\.debian"
    r"|[r]epo1?\.maven|[r]epo\.maven|[m]aven\.org|[p]roxy\.golang|[s]um\.golang|[s]tatic\.crates|[i]ndex\.crates"
    r"|[c]rates\.io/api",
    re.IGNORECASE,
)
MACHINE: Final = re.compile(r"(?:^|[^A-Za-z0-9_./$}-])(/(?:work|root|farm|home|Users)/[A-Za-z0-9_.-]*)")
LEFT_OVER: Final = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b")
TOPIC: Final = re.compile(r"[a-z0-9_.]+\.(commands|events|revisions|signals|public|work)")
SILENCED: Final = re.compile(
    r"#\s*(?P<what>type:\s*ignore(?P<mypy>\[[\w, -]+\])?|noqa(?P<ruff>:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?"
    r"|pragma:\s*no cover)(?P<reason>.*)"
)
WORD: Final = re.compile(r"[A-Za-z]{3}")
SKIPS: Final = ("pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "pytest.skip", "unittest.skip")


def no_registry_address(file: File) -> Iterator[Violation]:
    """Packages are named by name, version and hash; where they come from is each machine's own setting."""
    yield from _everywhere(file, REGISTRY, "address of a package registry")


def no_path_of_one_machine(file: File) -> Iterator[Violation]:
    """Nothing in the repository depends on where it was cloned."""
    yield from _everywhere(file, MACHINE, "absolute path of a machine")


def no_left_overs(file: File) -> Iterator[Violation]:
    """What is left to do is an issue, not a comment."""
    yield from _everywhere(file, LEFT_OVER, "left-over")


def topics_have_no_underscore(file: File) -> Iterator[Violation]:
    """Dots and underscores collide in Kafka's metric names; topics use dots."""
    if file.is_python and not file.under("tests/schemas"):
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_bad_topic(node.value):
                yield file.broken(node.lineno, f"topic name with an underscore: {node.value}")


def exceptions_are_explained(file: File) -> Iterator[Violation]:
    """A check is switched off by its code, in one line, with the reason in that line."""
    if not file.is_python:
        return
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type != tokenize.COMMENT or not (found := SILENCED.search(token.string)):
            continue
        has_code = found["mypy"] or found["ruff"]
        if not (has_code and WORD.search(found["reason"])):
            yield file.broken(token.start[0], f"{found['what']} without code and reason")


def skips_are_explained(file: File) -> Iterator[Violation]:
    """A test that does not run says why; a missing package is a failure, not a reason."""
    if not (file.is_python and file.under("tests")):
        return
    called: dict[ast.expr, ast.Call] = {n.func: n for n in ast.walk(file.tree) if isinstance(n, ast.Call)}
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Attribute):
            continue
        name = ast.unparse(node)
        if name == "pytest.importorskip":
            yield file.broken(node.lineno, "importorskip hides a missing package")
        elif name in SKIPS and not _says_why(name, called.get(node)):
            yield file.broken(node.lineno, f"{name} without a reason")


def _says_why(name: str, call: ast.Call | None) -> bool:
    if call is None:
        return False
    given = [k.value for k in call.keywords if k.arg in ("reason", "msg")]
    if name in ("pytest.mark.skip", "pytest.skip", "unittest.skip"):
        given += call.args[:1]
    return any(not isinstance(value, ast.Constant) or bool(value.value) for value in given)


def _is_bad_topic(text: str) -> bool:
    return bool(TOPIC.fullmatch(text)) and "_" in text


def _everywhere(file: File, pattern: re.Pattern[str], what: str) -> Iterator[Violation]:
    for number, line in enumerate(file.lines, 1):
        if found := pattern.search(line):
            yield file.broken(number, f"{what}: {found[0].strip()}")
