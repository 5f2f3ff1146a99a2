"""What a module mentions, spelled out: `dt.now` is `datetime.datetime.now` after the right import."""

import ast
from collections.abc import Iterator


def mentions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every imported name and every attribute of one, each with its line: `datetime.datetime.now`."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        for local, full in _imported(node):
            known[local] = full
            yield full, getattr(node, "lineno", 1)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (chain := _dotted(node)):
            head, _, rest = chain.partition(".")
            if head in known:
                yield f"{known[head]}.{rest}", node.lineno


def within(name: str, modules: frozenset[str]) -> bool:
    """Whether a full name is one of these modules or lies in one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The local name and the full name of everything that an import statement brings."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            # `import a.b` binds `a`, and is worth knowing as `a.b`
            yield (alias.asname or alias.name), alias.name
            if alias.asname is None:
                yield alias.name.partition(".")[0], alias.name.partition(".")[0]
    if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        for alias in node.names:
            yield (alias.asname or alias.name), f"{node.module}.{alias.name}"


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return None
