"""Asking a part over HTTP whether it is ready."""

import http.client

from infra.local.ports import HOST

SECONDS = 3.0


def over_http(port: int, path: str = "/readyz") -> str | None:
    """None when it answers 200, else why it is not ready, in its own words if it has any."""
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(500).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer on port {port} ({type(error).__name__})"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"not ready: {text or answer.status}"
