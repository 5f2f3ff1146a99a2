"""How long a file, a function and a handler may be, and what the one command may lean on."""

import ast
import re
import sys
from collections.abc import Iterator
from typing import Final

from tests.house.lints.names import mentions
from tests.house.source import File, Violation

FILE: Final = 250
APP: Final = 150
COMMAND: Final = 150
FUNCTION: Final = 40
HANDLER: Final = 15
TABLE_OF_CONTENTS: Final = re.compile(r"consumers/.+/app\.py")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files_are_short(file: File) -> Iterator[Violation]:
    """A file has one concept: at most 250 lines; a consumer's table of contents and `pickly` 150."""
    if not file.is_python:
        return
    limit = COMMAND if file.path == "pickly" else APP if TABLE_OF_CONTENTS.fullmatch(file.path) else FILE
    if len(file.lines) > limit:
        yield file.broken(
            limit + 1, f"{len(file.lines)} lines; {limit} are allowed: which concept is missing?"
        )


def functions_are_short(file: File) -> Iterator[Violation]:
    """A function has at most 40 lines, its docstring not counted."""
    for function in _functions(file):
        if (lines := _length(function)) > FUNCTION:
            yield file.broken(function.lineno, f"{function.name} has {lines} lines; {FUNCTION} are allowed")


def handlers_are_short(file: File) -> Iterator[Violation]:
    """A handler reads like a sentence: at most 15 lines, its docstring not counted."""
    for function in _functions(file):
        if _is_handler(function) and (lines := _length(function)) > HANDLER:
            yield file.broken(
                function.lineno, f"handler {function.name} has {lines} lines; {HANDLER} are allowed"
            )


def the_command_needs_only_python(file: File) -> Iterator[Violation]:
    """`pickly` runs before anything is installed: it imports the standard library only."""
    if file.path == "pickly":
        for name, line in mentions(file.tree):
            if name.partition(".")[0] not in sys.stdlib_module_names:
                yield file.broken(line, f"imports {name}, which is not in the standard library")


def _functions(file: File) -> Iterator[Function]:
    if file.is_python:
        yield from (node for node in ast.walk(file.tree) if isinstance(node, Function))


def _length(function: Function) -> int:
    """Lines from `def` to the end, without the docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def _is_handler(function: Function) -> bool:
    calls = (decorator.func for decorator in function.decorator_list if isinstance(decorator, ast.Call))
    return any(isinstance(call, ast.Attribute) and call.attr in ("on", "on_batch") for call in calls)
