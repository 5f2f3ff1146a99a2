"""What the user sees while the stack works."""

import sys
import threading
import time
from typing import Final

QUIET_SECONDS: Final = 2.0
GREEN, RED, YELLOW, RESET, CLEAR = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m", "\r\x1b[K"


class Console:
    """Lines, and one passing line for progress: overwritten on a terminal, now and then in a file."""

    def __init__(self, colour: bool | None = None) -> None:
        self._terminal = sys.stdout.isatty()
        self._colour = self._terminal if colour is None else colour
        self._lock = threading.Lock()
        self._last_progress = (0.0, "")

    def say(self, text: str) -> None:
        """One or more whole lines."""
        with self._lock:
            self._out((CLEAR if self._terminal else "") + text + "\n")

    def good(self, text: str) -> None:
        """Something works now."""
        self.say(f"  {self._paint(GREEN, '✓')} {text}")

    def warn(self, text: str) -> None:
        """Something went wrong and is being dealt with."""
        self.say(f"  {self._paint(YELLOW, '!')} {text}")

    def bad(self, text: str) -> None:
        """Something went wrong and stays so."""
        self.say(f"{self._paint(RED, 'error:')} {text}")

    def progress(self, text: str) -> None:
        """What goes on just now."""
        with self._lock:
            if self._terminal:
                self._out(f"{CLEAR}  … {text}"[:110])
            elif text != self._last_progress[1] and time.monotonic() - self._last_progress[0] > QUIET_SECONDS:
                self._last_progress = time.monotonic(), text
                self._out(f"  … {text}\n")

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{RESET}" if self._colour else text

    @staticmethod
    def _out(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
