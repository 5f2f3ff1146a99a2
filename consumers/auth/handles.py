"""Which handles nobody gets: reserved words, and what looks like one. Their shape: schemas/identity_types.py.

Handles are ASCII: of the confusables of UTS #39 only those within ASCII are left, and a short table does.
"""

from pathlib import Path
from typing import Final

LOOKS_LIKE: Final = str.maketrans(
    {"0": "o", "1": "l", "i": "l", "m": "rn", "w": "vv", "_": None, ".": None, "-": None}
)
"""Wide letters become the pair that looks like them, as in UTS #39: the other way round `vw` and `wv`, which
look alike, would differ."""
BRAND: Final = "pickly"
RESERVED: Final = frozenset(
    word
    for line in Path(__file__).with_name("reserved.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
    for word in line.split()
)


def skeleton(handle: str) -> str:
    """What two handles that look alike share; the store keeps it unique. Takes and gives lower case."""
    return handle.translate(LOOKS_LIKE)


RESERVED_SKELETONS: Final = frozenset(map(skeleton, RESERVED))
BRAND_SKELETON: Final = skeleton(BRAND)


def is_reserved(handle: str) -> bool:
    """Whether it is, or looks like, a reserved word, or holds Pickly's name and so would speak for it."""
    bare = skeleton(handle)
    return bare in RESERVED_SKELETONS or BRAND_SKELETON in bare
