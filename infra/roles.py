"""Which Postgres schemas and login roles there are: one folder, one schema, one role."""

from typing import Final

from schemas.topics import TOPICS

READ_PREFIX: Final = "read_"
PROJECTIONS: Final = tuple(
    sorted({reader for t in TOPICS.values() for reader in t.readers if reader.startswith(READ_PREFIX)})
)
DECIDERS: Final = tuple(sorted({topic.owner for topic in TOPICS.values()}))
NEXT_SUFFIX: Final = "_next"
"""Of the schema in which a projection is built anew beside the live one, and of its group's name."""
OLD_SUFFIX: Final = "_old"
"""Of the schema that a rebuild has replaced, until somebody drops it."""
SERVICE_ROLES: Final = ("migrate", "ops", "relay", "gateway")


def schemas() -> tuple[str, ...]:
    """Every schema of a group: its decider's folder, or `read_<projection>`."""
    return DECIDERS + PROJECTIONS


def login_roles() -> tuple[str, ...]:
    """Every role that logs in; each has a secret `pg_<role>`."""
    return SERVICE_ROLES + schemas()
