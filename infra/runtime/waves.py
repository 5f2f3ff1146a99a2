"""Order: wave n holds, for each key, its n-th message, so that keys do not wait for one another.

Within a wave every key occurs at most once, so a batch handler may take all of its messages in one
statement; across waves the order of each key is the order of its records.
"""

from collections import Counter
from collections.abc import Iterable

from infra.runtime.handlers import Handler
from infra.runtime.records import Incoming


def waves(messages: Iterable[Incoming]) -> list[list[tuple[Handler, list[Incoming]]]]:
    """The waves in order; each a list of (handler, its messages in record order)."""
    seen: Counter[tuple[str, str]] = Counter()
    result: list[dict[int, tuple[Handler, list[Incoming]]]] = []
    for incoming in messages:
        key = (incoming.record.topic, incoming.key)
        number = seen[key]
        seen[key] += 1
        if number == len(result):
            result.append({})
        _, run = result[number].setdefault(id(incoming.handler), (incoming.handler, []))
        run.append(incoming)
    return [list(wave.values()) for wave in result]
