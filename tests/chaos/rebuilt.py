"""Read models built again from the log alone, by the runtime itself, in another database; and compared."""

from typing import Final

import asyncpg

from infra.local.secrets import SUPERUSER
from infra.roles import PROJECTIONS
from infra.settings import Settings
from tests.chaos.checker_evidence import READ_MODELS
from tests.chaos.processes import Processes
from tests.chaos.rest import come_to_rest
from tests.chaos.threads import in_thread

WITHIN: Final = 120.0


async def compare_rebuilt(settings: Settings, scratch: Settings, processes: Processes) -> list[str]:
    """Let projections read from the start of the log into `scratch`; the rows that differ, a line each.

    `processes` have been stopped: the projections started here take their places in the same groups.
    """
    await in_thread(processes.start, PROJECTIONS, {"PICKLY_DATABASE": scratch.database})
    try:
        _, restless = await come_to_rest(scratch, WITHIN, lambda group: group in PROJECTIONS)
    finally:
        await in_thread(processes.stop)
    if restless:
        return [f"the rebuild did not come to its end: {line}" for line in restless]
    live, rebuilt = await _rows(settings), await _rows(scratch)
    return [f"{table}: {row} only in the live one" for table, row in sorted(live - rebuilt)] + [
        f"{table}: {row} only in the rebuilt one" for table, row in sorted(rebuilt - live)
    ]


async def _rows(settings: Settings) -> set[tuple[str, str]]:
    """Every row of every read model, as text. A count of nothing is no row."""
    db = await asyncpg.connect(settings.dsn(SUPERUSER))
    try:
        found: set[tuple[str, str]] = set()
        for table in READ_MODELS:
            rows = await db.fetch(f"SELECT t::text AS row FROM {table} t{_counting(table)}")
            found |= {(table, row["row"]) for row in rows}
    finally:
        await db.close()
    return found


def _counting(table: str) -> str:
    return " WHERE count <> 0" if table.endswith("_count") else ""
