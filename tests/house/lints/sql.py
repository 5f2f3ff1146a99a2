"""SQL in strings and migrations: who names a schema, and who may ask the database for time or chance."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from infra.roles import schemas
from tests.house.source import File, Violation

KEYWORD: Final = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|JOIN|INTO|WHERE|VALUES|RETURNING|CONFLICT|CREATE|ALTER|TRUNCATE)\b"
)
LOWER_CASE: Final = re.compile(
    r"^\s*(with\s.*\bas\s*\(|select\s.*\bfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s)",
    re.IGNORECASE | re.DOTALL,
)
# FROM that names no table: IS DISTINCT FROM, EXTRACT(EPOCH FROM at), SUBSTRING(note FROM 2)
NO_TABLE: Final = re.compile(
    r"\bDISTINCT\s+FROM\b|\b(EXTRACT|SUBSTRING|TRIM|OVERLAY)\s*\([^()]*?\bFROM\b", re.IGNORECASE
)
# UPDATE that names no table: DO UPDATE SET, FOR UPDATE, FOR NO KEY UPDATE
TABLE: Final = re.compile(
    r"\b(?:FROM|JOIN|INTO|(?<!DO )(?<!FOR )(?<!KEY )UPDATE|TRUNCATE|TABLE(?:\s+IF\s+NOT\s+EXISTS)?)"
    r"\s+(?:ONLY\s+|LATERAL\s+)*([\w.\"{}]+)(\s*\()?",
    re.IGNORECASE,
)
COMMON_TABLE: Final = re.compile(
    r"(?:\bWITH(?:\s+RECURSIVE)?|,)\s+(\w+)\s*(?:\([^()]*\)\s*)?AS\s+(?:(?:NOT\s+)?MATERIALIZED\s+)?\(",
    re.IGNORECASE,
)
SCHEMA: Final = re.compile(
    rf"\b({'|'.join((*schemas(), 'read_[a-z_]+', 'mesh', 'public'))})\s*\.\s*[a-z\"{{]|\bsearch_path\b",
    re.IGNORECASE,
)
CHANCE: Final = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|random|random_normal"
    r"|gen_random_uuid|uuidv4|uuidv7|pg_sleep)\s*\("
    r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime|tablesample)\b"
    r"|'(now|today|tomorrow|yesterday)'",
    re.IGNORECASE,
)


def consumers_name_no_schema(file: File) -> Iterator[Violation]:
    """SQL of consumers and their migrations names no schema: `search_path` does, so a rebuild can move it."""
    if not (
        file.under("consumers") or _is_migration_of_a_group(file) or file.under("infra/migrations/runtime")
    ):
        return
    for sql, line in statements(file):
        for found in SCHEMA.finditer(sql):
            yield file.broken(_line(sql, line, found), f"names a schema: {found[0]}")
        for found in TABLE.finditer(_without_expressions(sql)):
            if "." in found[1] and not SCHEMA.match(f"{found[1]}"):
                yield file.broken(_line(sql, line, found), f"names a schema: {found[1]}")


def gateway_names_the_schema(file: File) -> Iterator[Violation]:
    """SQL of the gateway always names the schema: it reads many, and has no `search_path` to guess from."""
    if not file.under("gateway"):
        return
    for sql, line in statements(file):
        known = {found[1].lower() for found in COMMON_TABLE.finditer(sql)}
        for found in TABLE.finditer(_without_expressions(sql)):
            is_call = found[2] is not None
            is_filled_in = found[1].startswith("{}")  # the database refuses it: this role has no search_path
            if not (is_call or is_filled_in or "." in found[1] or found[1].lower() in known):
                yield file.broken(_line(sql, line, found), f"names no schema: {found[1]}")


def consumers_ask_no_clock_in_sql(file: File) -> Iterator[Violation]:
    """SQL of consumers asks for no time and no chance, so that a replay decides the same."""
    if not (file.under("consumers") or _is_migration_of_a_group(file)):
        return
    for sql, line in statements(file):
        for found in CHANCE.finditer(sql):
            yield file.broken(_line(sql, line, found), f"clock or chance in SQL: {found[0]}")


def statements(file: File) -> Iterator[tuple[str, int]]:
    """Every piece of SQL with its first line: strings that look like it, or a migration without comments."""
    if file.path.endswith(".sql"):
        yield re.sub(r"--.*", "", file.text), 1
    elif file.is_python:
        yield from ((text, line) for text, line in _strings(file.tree) if _is_sql(text))


def _is_sql(text: str) -> bool:
    return bool(KEYWORD.search(text) or LOWER_CASE.search(text))


def _is_migration_of_a_group(file: File) -> bool:
    return file.under(*(f"infra/migrations/{schema}" for schema in schemas()))


def _without_expressions(sql: str) -> str:
    """The same text, each FROM inside an expression blanked, so that positions stay."""
    return NO_TABLE.sub(lambda found: " " * len(found[0]), sql)


def _line(sql: str, first: int, found: re.Match[str]) -> int:
    return first + sql.count("\n", 0, found.start())


def _strings(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Every string but docstrings; of an f-string the text, with `{}` where a value goes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value, node.lineno
    elif isinstance(node, ast.JoinedStr):
        parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        yield "".join(map(str, parts)), node.lineno
    elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        for child in ast.iter_child_nodes(node):
            yield from _strings(child)
