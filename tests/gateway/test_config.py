"""Settings as people write them into the environment."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from gateway.config import GatewaySettings, Quota
from gateway.plans import plans


def test_lists_have_commas_and_limits_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKLY_GATEWAY_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8,127.0.0.1")
    monkeypatch.setenv("PICKLY_GATEWAY_CORS_ORIGINS", "https://app.example.org,http://[::1]:3000")
    monkeypatch.setenv("PICKLY_GATEWAY_SIGN_IN_LIMIT", "6/60")

    settings = GatewaySettings()

    assert settings.trusted_proxies == tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "127.0.0.1/32")))
    assert settings.cors_origins == ("https://app.example.org", "http://[::1]:3000")
    assert settings.sign_in_limit == Quota(6, 60)
    plan = plans(settings)["sign-in"]
    assert (plan.burst, plan.seconds, plan.rate) == (6, 60, 0.1)
    assert plan.whole_address is not None
    assert (plan.whole_address.burst, plan.whole_address.seconds) == (60, 60)


def test_empty_lists_trust_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKLY_GATEWAY_TRUSTED_PROXIES", "")
    monkeypatch.setenv("PICKLY_GATEWAY_CORS_ORIGINS", "")

    assert (GatewaySettings().trusted_proxies, GatewaySettings().cors_origins) == ((), ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("TRUSTED_PROXIES", text) for text in ("proxy.example", "10.0.0.1/8", "10.0.0.0/33", "*")),
        *(("SIGN_IN_LIMIT", text) for text in ("30", "0/300", "30/0", "-1/3", "30/5m", "1/2/3", "")),
        *(("ADDRESS_RATE", text) for text in ("0", "-1")),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PICKLY_GATEWAY_{name}", value)

    with pytest.raises(ValidationError, match=name.lower()):
        GatewaySettings()
