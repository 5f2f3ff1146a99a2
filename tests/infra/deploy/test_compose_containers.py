"""How the containers of docker-compose.yml live together: what they may do, in which order they start, and
whether their health checks tell the truth."""

import asyncio
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.infra.deploy import compose


class Readyz(ThreadingHTTPServer):
    """A server that answers /readyz with `status`, and everything else with 404."""

    def __init__(self, status: int) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/readyz" else 404)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        super().__init__(("127.0.0.1", 0), Answer)
        Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *error: Any) -> None:
        self.shutdown()
        super().__exit__(*error)


@pytest.mark.parametrize("name", compose.ours())
def test_our_containers_may_do_nothing_special(name: str) -> None:
    service = compose.ours()[name]

    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert not service["user"].startswith("0")
    assert "volumes" not in service


@pytest.mark.parametrize("name", sorted(set(compose.services()) - set(compose.ours())))
def test_servers_have_the_capabilities_only_that_they_need(name: str) -> None:
    service = compose.services()[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", compose.long_running())
def test_everything_of_ours_waits_for_tables_and_topics(name: str) -> None:
    waits = compose.ours()[name]["depends_on"]

    assert waits["migrate"] == waits["topics"] == {"condition": "service_completed_successfully"}
    assert waits["valkey"] == {"condition": "service_healthy"}


def test_one_shots_wait_for_their_server() -> None:
    waits = {name: service.get("depends_on") for name, service in compose.services().items()}

    assert waits["bootstrap"] == {"postgres": {"condition": "service_healthy"}}
    assert waits["migrate"] == {"bootstrap": {"condition": "service_completed_successfully"}}
    assert waits["topics"] == {"kafka": {"condition": "service_healthy"}}
    assert all(
        "healthcheck" in compose.services()[server]
        for server in ("postgres", "kafka", "valkey", "s3", "mail")
    )


def test_only_the_front_door_and_the_mailbox_are_open_and_only_to_this_machine() -> None:
    ports = {name: service["ports"] for name, service in compose.services().items() if "ports" in service}

    assert ports == {"gateway": ["127.0.0.1:8000:8000"], "mail": ["127.0.0.1:8025:8025"]}


def test_volumes_and_mounted_files_exist() -> None:
    declared = set(compose.load()["volumes"])
    mounts = [m.split(":")[0] for s in compose.services().values() for m in s.get("volumes", [])]

    assert {mount for mount in mounts if not mount.startswith("./")} == declared
    assert all((compose.FILE.parent / mount).is_file() for mount in mounts if mount.startswith("./"))


@pytest.mark.parametrize("name", compose.long_running())
@pytest.mark.parametrize("status", [200, 503])
async def test_the_health_check_follows_readyz(name: str, status: int) -> None:
    environment_ = compose.ours()[name]["environment"]
    port = environment_["PICKLY_GATEWAY_PORT" if name == "gateway" else "PICKLY_HTTP_PORT"]
    command = compose.ours()[name]["healthcheck"]["test"]
    with Readyz(status) as server:
        code = command[3].replace(f"127.0.0.1:{port}/", f"127.0.0.1:{server.server_port}/")
        assert code != command[3]
        probe = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL
        )

        assert (await probe.wait() == 0) == (status == 200)

    assert command[:3] == ["CMD", "python", "-c"]
