"""The contract as it lies on disk: every wire type of `schemas/`, and a real example of each."""

import importlib
import json
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import schemas
from schemas.envelope import Meta
from schemas.message import Message, State, Tombstone

FOLDER: Final = Path(schemas.__file__).parent / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One record: its key, its headers, and its value as JSON; None is a tombstone's null."""

    key: str
    headers: Mapping[str, str]
    body: Mapping[str, object] | None

    @property
    def type(self) -> str:
        """The message's type, its class name."""
        return self.headers["ce_type"]

    def meta(self) -> Meta:
        """Its envelope. Raises EnvelopeError."""
        return Meta.from_headers(self.headers, datetime.fromisoformat(self.headers["ce_time"]))

    def message(self) -> Message:
        """As this code reads it. Raises KeyError for an unknown type, ValueError for what does not parse."""
        kind = catalogue()[self.type]
        version = int(self.headers.get("ce_sequence", "0"))
        if issubclass(kind, Tombstone):
            return kind.of_key(self.key, version)
        body = json.dumps(self.body).encode()
        return kind.read(body, version) if issubclass(kind, State) else kind.model_validate_json(body)


def catalogue() -> dict[str, type[Message]]:
    """Every wire type, by name; imports all of `schemas/`, so that none is missed."""
    for module in pkgutil.iter_modules(schemas.__path__, "schemas."):
        importlib.import_module(module.name)
    return dict(sorted(Message.catalogue.items()))


def examples(folder: Path = FOLDER) -> dict[str, Example]:
    """The examples of a folder, by the name of their file, which is their type."""
    return {
        path.stem: Example(**json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.json"))
    }
