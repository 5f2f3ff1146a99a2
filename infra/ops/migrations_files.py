"""Migration files: which there are, in which order, and what they may not say."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.roles import READ_PREFIX, schemas

ROOT: Final = Path(__file__).parent.parent / "migrations"
DECIDER, PROJECTION = "runtime/decider", "runtime/projection"
TEXT: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
BODY: Final = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
QUALIFIED: Final = re.compile(r'(?<![\w.])"?(\w+)"?\s*\.\s*["\w]')
ELSEWHERE: Final = re.compile(r"mesh|public|information_schema|pg_\w+|\w+_next")
RUNNERS: Final = re.compile(
    r"\b(commit|rollback|begin|start\s+transaction|savepoint|concurrently|grant|revoke|create\s+schema"
    r"|(?:create|alter|drop|set|reset)\s+(?:session\s+|local\s+)?(?:role|authorization|search_path))\b",
    re.IGNORECASE,
)


class MigrationError(RuntimeError):
    """The database cannot be brought to this code's state; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; `name` is its path below `infra/migrations`, by which history knows it."""

    name: str
    sql: str

    @property
    def folder(self) -> str:
        """Where it lies: files are ordered within their folder only."""
        return self.name.rpartition("/")[0]

    @property
    def checksum(self) -> str:
        """SHA-256 of the text with Unix line ends, the same for every checkout."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()


def migrations_of(role: str, root: Path = ROOT) -> tuple[Migration, ...]:
    """What the schema of the group `role` is made of: the runtime's template, then the group's own files.

    Raises MigrationError for a file that says what only the runner may say.
    """
    template = PROJECTION if role.startswith(READ_PREFIX) else DECIDER
    found = tuple(
        Migration(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for folder in (template, role)
        for path in sorted((root / folder).glob("*.sql"))
    )
    faults = [f"{each.name}:{fault}" for each in found for fault in faults_of(each.sql)]
    if faults:
        raise MigrationError("migrations that cannot be run:\n  " + "\n  ".join(faults))
    return found


def faults_of(sql: str) -> list[str]:
    """`<line>: <what is wrong>` for each schema that `sql` names and each thing that is the runner's."""
    plain = TEXT.sub(_blank, sql)
    outside = BODY.sub(_blank, plain)
    named = (found for found in QUALIFIED.finditer(plain) if _is_schema(found[1].lower()))
    faults = [(found.start(), f"names the schema {found[1]}; search_path does that") for found in named]
    faults += [
        (found.start(), f"says {found[0].upper()}; that is the runner's to say")
        for found in RUNNERS.finditer(outside)
    ]
    return [f"{plain.count(chr(10), 0, at) + 1}: {text}" for at, text in sorted(faults)]


def _is_schema(name: str) -> bool:
    return name in schemas() or name.startswith(READ_PREFIX) or ELSEWHERE.fullmatch(name) is not None


def _blank(found: re.Match[str]) -> str:
    return " " + "\n" * found[0].count("\n")
