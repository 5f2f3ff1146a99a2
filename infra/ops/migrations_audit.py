"""`mesh.audit`: what people did with the tools of ops. `ops` may add to it and read it, not change it."""

from typing import TYPE_CHECKING, Final

from infra.roles import login_roles

if TYPE_CHECKING:
    from asyncpg import Connection

OWNER: Final = "migrate"
TABLE: Final = """
    CREATE TABLE IF NOT EXISTS mesh.audit (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        -- as the tool was told by the operating system: honest people's names, no proof
        who text NOT NULL,
        -- as the database knows it
        role name NOT NULL DEFAULT session_user,
        action text NOT NULL,
        target text NOT NULL,
        reason text,
        letters bigint NOT NULL
    )
"""


async def ensure_audit(connection: "Connection") -> None:
    """Make the table where it is missing, and set the rights on it anew. The schema `mesh` must be there."""
    everybody = ", ".join(("PUBLIC", *(role for role in login_roles() if role != OWNER)))
    async with connection.transaction():
        await connection.execute(
            f"""
            {TABLE};
            REVOKE ALL ON mesh.audit FROM {everybody};
            GRANT SELECT, INSERT (who, action, target, reason, letters) ON mesh.audit TO ops;
            """
        )
