"""A stand-in for a part: `python program.py FOLDER NAME PORT` serves /readyz until SIGTERM.

Files in FOLDER steer it: NAME.crash = end at once with code 3, NAME.unready = answer 503 with its text.
Each start appends a line to NAME.starts, each graceful end one to NAME.ends.
"""

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType
from typing import Never


def main(folder: Path, name: str, port: int) -> None:
    """Serve until told to stop."""

    def end(_number: int, _frame: FrameType | None) -> Never:
        _append(folder / f"{name}.ends")
        sys.exit(0)

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            unready = folder / f"{name}.unready"
            self.send_response(503 if unready.exists() else 200)
            self.end_headers()
            self.wfile.write(unready.read_bytes() if unready.exists() else b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    _append(folder / f"{name}.starts")
    if (folder / f"{name}.crash").exists():
        sys.stderr.write("the reactor is on fire\n")
        sys.exit(3)
    signal.signal(signal.SIGTERM, end)
    HTTPServer(("127.0.0.1", port), Ready).serve_forever()


def _append(file: Path) -> None:
    with file.open("a") as lines:
        lines.write("x\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
