"""How the gateway is found."""

import json
from pathlib import Path

import pytest

from clients.movielens.gateway import NoGatewayError, find_gateway


def a_pickly(folder: Path, prints: str) -> Path:
    """A `pickly` command that prints this when asked for the status as JSON, and nothing otherwise."""
    command = folder / "pickly"
    command.write_text(f"#!/bin/sh\n[ \"$*\" = 'status --json' ] && cat <<'END'\n{prints}\nEND\n")
    command.chmod(0o755)
    return command


def test_what_is_told_wins(tmp_path: Path) -> None:
    found = find_gateway("http://there:1", {"PICKLY_GATEWAY_PORT": "2"}, tmp_path / "pickly")

    assert found == "http://there:1"


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"PICKLY_GATEWAY_PORT": "8123"}, "http://127.0.0.1:8123"),
        ({"PICKLY_GATEWAY_PORT": "8123", "PICKLY_GATEWAY_HOST": "10.0.0.1"}, "http://10.0.0.1:8123"),
        ({"PICKLY_GATEWAY_PORT": "8123", "PICKLY_GATEWAY_HOST": "0.0.0.0"}, "http://127.0.0.1:8123"),
    ],
)
def test_the_environment_says_where(environment: dict[str, str], address: str, tmp_path: Path) -> None:
    assert find_gateway(None, environment, tmp_path / "pickly") == address


def test_otherwise_the_status_of_the_stack_says_where(tmp_path: Path) -> None:
    command = a_pickly(tmp_path, json.dumps({"ready": True, "gateway": "http://127.0.0.1:8321"}))

    assert find_gateway(None, {}, command) == "http://127.0.0.1:8321"


@pytest.mark.parametrize(
    "prints",
    [
        "",
        "not running",
        "[]",
        '{"ready": false, "gateway": "http://127.0.0.1:8321"}',
        '{"ready": false, "gateway": null}',
        '{"ready": true}',
    ],
)
def test_a_stack_that_does_not_run_is_a_clear_error(tmp_path: Path, prints: str) -> None:
    with pytest.raises(NoGatewayError, match=r"\./pickly up"):
        find_gateway(None, {}, a_pickly(tmp_path, prints))


def test_without_a_command_the_way_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoGatewayError, match="--gateway"):
        find_gateway(None, {}, tmp_path / "pickly")
