"""`python -m gateway` serves HTTP on PICKLY_GATEWAY_HOST and PICKLY_GATEWAY_PORT until SIGTERM."""

import asyncio
import resource
import socket
import sys
from typing import cast

from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.server import GatewayServer
from gateway.services import open_services
from infra.process import Process, run
from infra.settings import Settings, settings


async def main(process: Process) -> None:
    """Serve until the process shall stop."""
    config, limits = settings(), GatewaySettings()
    listener = _listen(config)
    async with open_services(config, limits) as services:
        process.alive("background", services.why_not_alive)
        process.ready("sender", services.readiness.sender)
        process.ready("database", services.readiness.database)
        process.ready("projections", services.readiness.projections)
        process.ready("ended sessions", services.ended.why_not_ready)
        server = GatewayServer(create_app(services, cast(ASGIApp, process)), limits, services.waiter.stop)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(process.stopping.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        server.should_exit = True
        await serving


def _listen(config: Settings) -> socket.socket:
    try:
        return socket.create_server((config.gateway_host, config.gateway_port), backlog=2048)
    except OSError as error:
        place = f"{config.gateway_host}:{config.gateway_port}"
        sys.exit(f"PICKLY_GATEWAY_PORT: cannot listen on {place} ({error.strerror}); set another port")


def _allow_many_files() -> None:
    """Every connection is a file, and the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    _allow_many_files()
    sys.exit(run(main))
