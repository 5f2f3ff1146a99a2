"""docker-compose.yml as data, with its variables at their defaults."""

import re
from typing import Any, Final

import yaml

from infra.roles import schemas
from tests.house.source import ROOT

FILE: Final = ROOT / "docker-compose.yml"
VARIABLE: Final = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
Service = dict[str, Any]


def text() -> str:
    """The file as it is."""
    return FILE.read_text()


def load() -> dict[str, Any]:
    """The file with every `${NAME:-default}` replaced by its default and `$$` by `$`."""
    filled = VARIABLE.sub(lambda found: found[2] or "", text()).replace("$$", "$")
    loaded: dict[str, Any] = yaml.safe_load(filled)
    return loaded


def services() -> dict[str, Service]:
    """Every service by its name."""
    found: dict[str, Service] = load()["services"]
    return found


def ours() -> dict[str, Service]:
    """The services that run our image."""
    return {name: service for name, service in services().items() if "build" in service}


def long_running() -> dict[str, Service]:
    """Those of ours that stay."""
    return {name: service for name, service in ours().items() if service.get("restart") == "unless-stopped"}


def groups() -> dict[str, Service]:
    """The services of consumer groups."""
    return {name: service for name, service in ours().items() if name in schemas()}
