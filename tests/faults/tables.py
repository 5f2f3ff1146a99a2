"""What the tables of the whole platform hold, as values that can be compared."""

import asyncpg

from infra.roles import DECIDERS, schemas
from infra.settings import Settings

Tables = dict[str, list[str]]
"""By table, its rows as sorted JSON."""
NOT_ZERO = "CASE WHEN count <> 0 THEN to_jsonb(t) END"
TABLES = {
    "curation.pick": "to_jsonb(t)",
    "curation.thing": "to_jsonb(t)",
    "social.reaction": "to_jsonb(t) - 'sweep_at'",  # whether its pick was known yet when it came
    "social.pick_copy": "to_jsonb(t)",
    "read_picks.pick": "to_jsonb(t)",
    "read_picks.reaction": "to_jsonb(t)",
    "read_picks.reaction_count": NOT_ZERO,
    "read_things.thing": "to_jsonb(t)",
    "read_things.pick_edge": "to_jsonb(t)",
    "read_things.thing_count": NOT_ZERO,
}
EVERYWHERE = {
    "gone": "to_jsonb(t) - 'at'",
}
OF_DECIDERS = {
    "decision": "to_jsonb(t) - 'offsets'",  # events may have been sent once more, to other offsets
    "inbox": "to_jsonb(t) - 'touched_at'",
    "outbox": "to_jsonb(t)",
}


async def tables(settings: Settings) -> Tables:
    """Everything but times of our own, positions, dead letters (they are of their place in the log), where
    events lie, and counts of nothing."""
    wanted = dict(TABLES)
    wanted |= {f"{schema}.{name}": shown for schema in schemas() for name, shown in EVERYWHERE.items()}
    wanted |= {f"{schema}.{name}": shown for schema in DECIDERS for name, shown in OF_DECIDERS.items()}
    db = await asyncpg.connect(settings.dsn("postgres"))
    try:
        return {
            table: [
                row[0]
                for row in await db.fetch(f"SELECT ({shown})::text FROM {table} t ORDER BY 1")
                if row[0]
            ]
            for table, shown in wanted.items()
        }
    finally:
        await db.close()


def differences(before: Tables, after: Tables) -> dict[str, list[str]]:
    """By table, some of the rows that are on one side only; a tick is heard every minute and is no change."""
    found: dict[str, list[str]] = {}
    for table in before:
        one, other = set(before[table]), set(after[table])
        strange = [f"gone: {row}" for row in one - other] + [f"new: {row}" for row in other - one]
        if strange and not table.endswith(".inbox"):
            found[table] = strange[:3]
        elif missing := one - other:
            found[table] = [f"gone: {row}" for row in sorted(missing)[:3]]
    return found
