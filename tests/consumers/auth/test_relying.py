"""The relying party: settings under which no browser could use a passkey are refused when they are read."""

import pytest

from consumers.auth.config import AuthSettings
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


@pytest.mark.parametrize(
    ("site", "id", "origin"),
    [
        ("https://pickly.example", "pickly.example", "https://pickly.example"),
        ("https://pickly.example:8443/", "pickly.example", "https://pickly.example:8443"),
        ("http://127.0.0.1:8000", "localhost", "http://localhost:8000"),
        ("http://[::1]:8000", "localhost", "http://localhost:8000"),
        ("http://localhost", "localhost", "http://localhost"),
    ],
)
def test_a_site_is_its_own_party(site: str, id: str, origin: str) -> None:
    assert Relying.of(site) == Relying(id, "Pickly", (origin,))


def test_other_addresses_take_the_place_of_the_sites_own() -> None:
    party = Relying.of("https://pickly.example", ["https://app.pickly.example"])

    assert party == Relying("pickly.example", "Pickly", ("https://app.pickly.example",))


@pytest.mark.parametrize("site", ["http://pickly.example", "http://192.0.2.7:8000", "pickly.example"])
def test_a_site_where_no_browser_makes_passkeys_is_refused(site: str) -> None:
    with pytest.raises(ValueError, match="cannot be used at"):
        Relying.of(site)


def test_the_addresses_are_listed_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKLY_AUTH_PASSKEY_ORIGINS", "https://pickly.example, https://app.pickly.example,")

    assert AuthSettings().passkey_origins == ("https://pickly.example", "https://app.pickly.example")
