"""Names of attributes are those of the conventions that are current."""

import inspect
from pathlib import Path

from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.semconv.attributes import (
    error_attributes,
    http_attributes,
    network_attributes,
    url_attributes,
)

from infra.telemetry import names

CURRENT = (messaging_attributes, error_attributes, http_attributes, network_attributes, url_attributes)
OURS = {name: value for name, value in vars(names).items() if name.isupper()}


def test_every_name_is_in_the_conventions_and_none_is_deprecated() -> None:
    theirs = {name: value for module in CURRENT for name, value in vars(module).items() if name.isupper()}
    deprecated = [
        name
        for module in CURRENT
        for name in OURS
        if f'{name}: Final = "{OURS[name]}"\n"""\nDeprecated' in Path(inspect.getfile(module)).read_text()
    ]

    assert {
        name: value for name, value in OURS.items() if not value.startswith("pickly.")
    }.items() <= theirs.items()
    assert deprecated == []


def test_a_deprecated_name_would_be_seen() -> None:
    text = Path(inspect.getfile(messaging_attributes)).read_text()

    assert 'MESSAGING_OPERATION: Final = "messaging.operation"\n"""\nDeprecated' in text
