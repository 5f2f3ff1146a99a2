"""Where the gateway is: as told, from the environment, or as `./pickly status` says."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

PICKLY = Path(__file__).parents[2] / "pickly"
HOW = "Start the platform with `./pickly up`, or say where the gateway is: --gateway http://HOST:PORT"


class _Status(BaseModel):
    ready: bool
    gateway: str


class NoGatewayError(Exception):
    """No gateway is known; the message says what to do."""


def find_gateway(told: str | None, environment: Mapping[str, str] = os.environ, pickly: Path = PICKLY) -> str:
    """The gateway's URL. Raises NoGatewayError."""
    if told:
        return told
    if port := environment.get("PICKLY_GATEWAY_PORT"):
        host = environment.get("PICKLY_GATEWAY_HOST", "127.0.0.1")
        return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    return _from_status(pickly)


def _from_status(pickly: Path) -> str:
    if not pickly.is_file():
        raise NoGatewayError(f"There is no {pickly.name} command beside this code. {HOW}")
    ran = subprocess.run([pickly, "status", "--json"], capture_output=True, text=True, check=False)
    try:
        status = _Status.model_validate_json(ran.stdout)
    except ValidationError:
        raise NoGatewayError(f"`./pickly status` names no gateway. {HOW}") from None
    if not status.ready:
        raise NoGatewayError(f"The platform is not ready: `./pickly status` says which part. {HOW}")
    return status.gateway
