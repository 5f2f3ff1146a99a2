"""What really happened, as it is counted, and what people are told while it does."""

import logging
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import structlog


@dataclass
class Tally:
    """Deaths, freezes and starts of processes, by name; `say` writes progress on stderr."""

    kills: Counter[str] = field(default_factory=Counter)
    freezes: Counter[str] = field(default_factory=Counter)
    restarts: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    quiet: bool = False
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """A line for people, with the seconds since the beginning."""
        if not self.quiet:
            sys.stderr.write(f"{time.monotonic() - self.began:7.1f} s  {text}\n")
            sys.stderr.flush()

    def killed(self, name: str, how: str) -> None:
        """A process was ended by SIGKILL."""
        self.kills[name] += 1
        self.say(f"kill     {name} ({how})")

    def frozen(self, name: str, how: str) -> None:
        """A process was stopped by SIGSTOP."""
        self.freezes[name] += 1
        self.say(f"freeze   {name} ({how})")

    def restarted(self, name: str) -> None:
        """A dead process was started again."""
        self.restarts[name] += 1


def log_to(file: Path) -> None:
    """What the libraries of this process have to say goes to a file: outages are what they talk about."""
    logging.basicConfig(filename=file, level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file.open("a")))
