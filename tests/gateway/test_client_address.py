"""Who the client is: forwarding headers are believed from trusted proxies, as far as these vouch for them."""

from ipaddress import ip_network
from typing import Any

import pytest

from gateway.client_address import Clients, limited_as

PROXIES = Clients([ip_network(text) for text in ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8")])


def found(
    peer: str | None, *lines: str, proto: tuple[str, ...] = (), clients: Clients = PROXIES
) -> tuple[str, str]:
    """Address and scheme of a request over plain HTTP with these lines of the forwarding headers."""
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    headers += [(b"x-forwarded-proto", line.encode()) for line in proto]
    scope: dict[str, Any] = {"scheme": "http", "client": peer and (peer, 1), "headers": headers}
    clients.find(scope)
    return scope["client_address"], scope["client_scheme"]


@pytest.mark.parametrize(
    ("peer", "lines", "address"),
    [
        ("192.0.2.9", ("198.51.100.1",), "192.0.2.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1, 10.0.0.2,127.0.0.1",), "198.51.100.1"),
        ("10.0.0.1", ("1.1.1.1", "198.51.100.1", "10.0.0.2"), "198.51.100.1"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("fd00::1", ("2001:db8::7",), "2001:db8::7"),
        ("fd00::1", ("[2001:DB8::7]",), "2001:db8::7"),
        ("fd00::1", ("[2001:db8::7]:4711",), "2001:db8::7"),
        ("10.0.0.1", ("198.51.100.1:4711",), "198.51.100.1"),
        ("10.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("::ffff:192.0.2.9", ("198.51.100.1",), "192.0.2.9"),
        ("fe80::1%eth0", (), "fe80::1"),
        ("fe80::1%eth0", ("198.51.100.1",), "fe80::1"),
        (None, ("198.51.100.1",), "unknown"),
        ("testclient", ("198.51.100.1",), "unknown"),
    ],
)
def test_the_client_is_the_first_that_no_trusted_proxy_is(
    peer: str | None, lines: tuple[str, ...], address: str
) -> None:
    assert found(peer, *lines)[0] == address


@pytest.mark.parametrize(
    "garbage",
    [
        *("unknown", "_hidden", "", " ", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4:", "1.2.3.4:123456"),
        *(
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]:",
            "::1:",
            "fe80::1%eth0",
            "\xb9.2.3.4",
            "1.2.3.4\x00",
            "<script>",
        ),
        *("1.2.3.4 5.6.7.8", "999.1.1.1", "0x7f.1", "2130706433", "1.2.3.0/24", "1.2.3.4:8\xb2"),
    ],
)
def test_at_garbage_the_last_address_that_is_vouched_for_counts(garbage: str) -> None:
    assert found("10.0.0.1", f"198.51.100.1, {garbage}, 10.0.0.2")[0] == "10.0.0.2"
    assert found("10.0.0.1", garbage)[0] == "10.0.0.1"


def test_of_a_very_long_header_the_right_end_counts() -> None:
    forged = ",".join(["11.1.1.1"] * 1_500)

    assert found("10.0.0.1", f"{forged}, 198.51.100.1")[0] == "198.51.100.1"
    assert found("10.0.0.1", "1" * 5_000)[0] == "10.0.0.1"


def test_an_entry_that_the_bound_cuts_in_two_is_no_entry() -> None:
    proxies = ",".join(["10.0.0.2"] * 112)

    seen = [found("10.0.0.1", f"{'x' * 500},123.123.123.123,{' ' * more}{proxies}")[0] for more in range(20)]

    assert seen == ["123.123.123.123"] + ["10.0.0.2"] * 19


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert found("127.0.0.1", "198.51.100.1", proto=("https",), clients=Clients()) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("peer", "lines", "proto", "scheme"),
    [
        ("192.0.2.9", ("198.51.100.1",), ("https",), "http"),
        ("10.0.0.1", ("198.51.100.1",), ("https",), "https"),
        ("10.0.0.1", ("198.51.100.1",), ("HTTPS",), "https"),
        ("10.0.0.1", (), ("https",), "https"),
        ("10.0.0.1", ("198.51.100.1",), (), "http"),
        ("10.0.0.1", ("198.51.100.1",), ("wss",), "http"),
        ("10.0.0.1", ("198.51.100.1",), ("https, http",), "http"),
        ("10.0.0.1", ("198.51.100.1, 10.0.0.2",), ("https, http",), "https"),
        ("10.0.0.1", ("198.51.100.1, 10.0.0.2",), ("https", "http"), "https"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.1, 10.0.0.2",), ("http, https, http",), "https"),
        ("10.0.0.1", ("198.51.100.1, 10.0.0.2",), ("https",), "https"),
    ],
)
def test_the_scheme_is_the_one_that_the_clients_proxy_saw(
    peer: str, lines: tuple[str, ...], proto: tuple[str, ...], scheme: str
) -> None:
    assert found(peer, *lines, proto=proto)[1] == scheme


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_client_is_its_64(address: str, client: str) -> None:
    assert limited_as(address) == client
