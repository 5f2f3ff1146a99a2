"""The relying party: settings under which no browser could use a passkey are refused when they are read."""

import pytest

from consumers.auth.relying import Relying


@pytest.mark.parametrize(
    ("domain", "origin"),
    [
        ("pickly.example", "https://pickly.example"),
        ("pickly.example", "https://app.pickly.example:8443"),
        ("localhost", "http://localhost:8080"),
        ("localhost", "https://localhost"),
    ],
)
def test_an_address_of_the_domain_is_taken(domain: str, origin: str) -> None:
    assert Relying(domain, "Pickly", (origin,)).origins == (origin,)


@pytest.mark.parametrize(
    "origin",
    [
        "http://pickly.example",
        "https://pickly.example/",
        "https://pickly.example/app",
        "https://evilpickly.example",
        "https://pickly.example.evil.example",
        "https://ana@evil.example?.pickly.example",
        "HTTPS://pickly.example",
        "pickly.example",
        "null",
        "",
    ],
)
def test_another_address_is_refused_with_what_to_do(origin: str) -> None:
    with pytest.raises(ValueError, match="https://HOST"):
        Relying("pickly.example", "Pickly", ("https://pickly.example", origin))


def test_without_an_address_there_are_no_passkeys() -> None:
    with pytest.raises(ValueError, match="at least one origin"):
        Relying("pickly.example", "Pickly", ())
