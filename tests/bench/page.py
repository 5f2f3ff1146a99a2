"""docs/performance.md: a part generated from docs/performance.json, and text around it written by hand.

`./pickly bench --write` measures and writes both; `python -m tests.bench.page` only makes the page anew.
"""

from pathlib import Path
from typing import Final

from tests.bench.benches import BENCHES
from tests.bench.document import Document
from tests.bench.report import caption, markdown

DOCS: Final = Path(__file__).parents[2] / "docs"
DATA: Final = DOCS / "performance.json"
PAGE: Final = DOCS / "performance.md"
BEGIN: Final = "<!-- generated from performance.json: begin -->"
END: Final = "<!-- generated from performance.json: end -->"


def write(document: Document) -> None:
    """Keep a run, and show it."""
    DATA.write_text(document.model_dump_json(indent=1) + "\n")
    PAGE.write_text(rendered(document, PAGE.read_text()))


def rendered(document: Document, text: str) -> str:
    """The page with the generated part made anew; raises ValueError when its marks are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN} and {END}")
    parts = [markdown(document), caption(document), "## More figures of the same run", _details(document)]
    parts += ["## What each NAME does", _does()]
    generated = "\n\n".join(parts)
    return f"{before}{BEGIN}\n\n{generated}\n\n{END}{after}"


def _details(document: Document) -> str:
    rows = (row for row in document.rows if row.details)
    return "\n".join(
        f"- `{row.bench}`, {row.what}, against {row.against}: "
        + ", ".join(f"{name} {value:,.4g}" for name, value in row.details.items())
        + "."
        for row in rows
    )


def _does() -> str:
    said: dict[str, list[str]] = {}
    for name, bench in BENCHES.items():
        said.setdefault(bench.does, []).append(f"`{name}`")
    return "\n\n".join(f"{', '.join(names)}: {does}" for does, names in said.items())


def main() -> None:
    """Make the page anew from what was measured last."""
    document = Document.model_validate_json(DATA.read_text())
    PAGE.write_text(rendered(document, PAGE.read_text()))


if __name__ == "__main__":
    main()
