"""Run groups: `python -m consumers NAME...`, `python -m consumers all`, `python -m consumers --list`.

`python -m consumers --next NAME` builds a projection beside the live one, as `./pickly rebuild` tells it to.
"""

import asyncio
import sys

from consumers.registry import ALL
from infra.ops.rebuild_shadow import build
from infra.process import Process, run
from infra.runtime import Projection
from infra.runtime.running import RunningGroup
from infra.settings import settings
from infra.wake import Waker


def main(arguments: list[str]) -> int:
    """Run the named groups until the process is told to stop, or print their names."""
    if arguments == ["--list"]:
        print("\n".join(ALL))  # noqa: T201  # the answer to a question on the command line
        return 0
    if arguments[:1] == ["--next"] and isinstance(group := ALL.get("".join(arguments[1:])), Projection):
        return run(lambda process: build(process, group))
    names = list(ALL) if arguments == ["all"] else arguments
    unknown = [name for name in names if name not in ALL]
    if unknown or not names:
        print(f"unknown: {', '.join(unknown) or 'nothing'}; there are: {', '.join(ALL)}", file=sys.stderr)  # noqa: T201  # likewise
        return 2
    return run(lambda process: work(process, names))


async def work(process: Process, names: list[str]) -> None:
    """Start the groups, stop them when told; a group that fails ends the process."""
    config = settings()
    waker = Waker(config)
    groups = [RunningGroup(ALL[name], config, waker) for name in names]
    starts = [asyncio.create_task(group.start(process)) for group in groups]
    try:
        while not process.stopping.is_set():
            await process.pause(1)
            for start, group in zip(starts, groups, strict=True):
                if start.done():
                    start.result()
                if (error := group.failed()) is not None:
                    raise error
    finally:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.gather(*(group.stop() for group in groups))
        await waker.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
