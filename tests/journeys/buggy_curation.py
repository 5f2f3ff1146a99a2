"""The group `curation` as a release with a bug would run it: `python -m tests.journeys.buggy_curation`.

Its stars are wrong: a rating of half a star divides by zero.
"""

import sys
from dataclasses import replace

from consumers import __main__ as program
from consumers.curation.app import curation, publish_pick
from infra.runtime import Db
from schemas.envelope import Meta
from schemas.picks import PublishPick


async def publish_with_stars(pick: PublishPick, meta: Meta, db: Db) -> object:
    """What its author wanted: how many picks a star is worth."""
    if pick.rating is not None:
        _worth = 100 // int(pick.rating)
    return await publish_pick(pick, meta, db)


if __name__ == "__main__":
    handler = curation.handlers[PublishPick.__name__]
    curation.handlers[PublishPick.__name__] = replace(handler, function=publish_with_stars)
    sys.exit(program.main(["curation"]))
