"""A process of ours that may strike itself, or that is broken on purpose.

`python -m tests.chaos.rigged --seed TEXT --calm FILE [--point NAME:ACTION:PROBABILITY]... [--control NAME]
consumers curation` runs what `python -m consumers curation` runs; so does `producers.relay`.
"""

import argparse
import sys
from pathlib import Path

from consumers import __main__ as consumers
from infra.process import run
from producers import relay
from tests.chaos.controls import CONTROLS
from tests.chaos.points import Point, plant


def main(arguments: list[str]) -> int:
    """Plant what was asked for, then run the real program to its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.rigged", description=__doc__)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--calm", type=Path, required=True)
    parser.add_argument("--point", type=Point.parse, action="append", default=[])
    parser.add_argument("--control", choices=CONTROLS)
    parser.add_argument("program", choices=("consumers", "producers.relay"))
    parser.add_argument("names", nargs="*")
    given = parser.parse_args(arguments)
    if given.control:
        CONTROLS[given.control]()
    plant(given.point, given.seed, given.calm)
    if given.program == "producers.relay":
        return run(relay.main)
    return consumers.main(given.names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
