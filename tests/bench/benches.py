"""Every benchmark, by its NAME."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from tests.bench import commands, drains, feed, relaying, scale, sender, visible
from tests.bench.effort import Bench


@dataclass(frozen=True)
class Entry:
    """A benchmark, and the module that says in its docstring what it does."""

    run: Bench
    module: ModuleType

    @property
    def does(self) -> str:
        """What is measured, and how."""
        return (self.module.__doc__ or "").strip()


BENCHES: Final[Mapping[str, Entry]] = {
    commands.NAME: Entry(commands.commands, commands),
    feed.NAME: Entry(feed.feed, feed),
    **{match.bench: Entry(match, drains) for match in (drains.BATCHED, drains.PROJECTED, drains.SINGLE)},
    visible.NAME: Entry(visible.visible, visible),
    relaying.NAME: Entry(relaying.relay, relaying),
    scale.NAME: Entry(scale.scale, scale),
    sender.NAME: Entry(sender.sender, sender),
}
