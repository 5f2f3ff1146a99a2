"""Free ports, chosen once."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import ports
from infra.local.errors import StackError


@pytest.fixture
def busy() -> Iterator[int]:
    """A port that this test process listens on."""
    (number,) = ports.choose(["busy"], span=ports.TESTS).values()
    with socket.create_server((ports.HOST, number)):
        yield number


def test_chosen_ports_are_free_and_all_different() -> None:
    chosen = ports.choose([f"p{i}" for i in range(50)])
    assert len(set(chosen.values())) == 50
    assert all(ports.is_free(port) for port in chosen.values())


def test_a_taken_port_is_not_chosen() -> None:
    assert ports.choose(["a"], taken=[28_000], span=(28_000, 28_002)) == {"a": 28_001}


def test_no_free_port_is_an_error_that_says_so() -> None:
    with pytest.raises(StackError, match="no free port from 28000 to 28000"):
        ports.choose(["a"], taken=[28_000], span=(28_000, 28_001))


def test_the_ports_of_a_clone_lie_in_one_block_and_later_ones_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    first = ports.choose(list("abcdefgh"))
    later = ports.choose(list("xyz"), first.values())
    blocks = {port // ports.BLOCK for port in (*first.values(), *later.values())}
    assert len(blocks) == 1


def test_a_block_that_another_clone_uses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda port: port != 20_007)
    chosen = ports.choose(list("abc"), span=(20_000, 20_000 + 2 * ports.BLOCK))
    assert all(port >= 20_000 + ports.BLOCK for port in chosen.values())


def test_servers_for_tests_never_take_the_ports_of_clones() -> None:
    assert ports.CLONES[1] <= ports.TESTS[0]


def test_ports_are_chosen_once_and_new_names_are_added(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    first = ports.saved(file, ["a", "b"])
    again = ports.saved(file, ["a", "b", "c"])
    assert {name: again[name] for name in first} == first
    assert again["c"] not in first.values()
    assert ports.saved(file, ["c"]) == again


def test_a_free_port_is_accepted() -> None:
    (number,) = ports.choose(["free"], span=ports.TESTS).values()
    ports.require_free("free", number)


def test_a_busy_port_is_an_error_that_names_who_holds_it_and_where_to_change_it(
    busy: int, tmp_path: Path
) -> None:
    with pytest.raises(StackError) as caught:
        ports.require_free("gateway", busy, tmp_path / "ports.json")
    text = str(caught.value)
    assert f"gateway: port {busy} is held by" in text
    assert f"(pid {os.getpid()}:" in text
    assert str(tmp_path / "ports.json") in text
