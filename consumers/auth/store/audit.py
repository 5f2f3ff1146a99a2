"""Who gave which role to whom, and who took it, for good."""

from infra.runtime import Db
from schemas.envelope import Meta
from schemas.roles import RoleCommand


async def add(db: Db, wish: RoleCommand, meta: Meta, *, granted: bool) -> None:
    """Write down a role that was granted, or taken."""
    await db.execute(
        "INSERT INTO role_audit (command_id, account_id, role, granted, actor, at)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        *(meta.id, wish.account_id, wish.role, granted, meta.actor, meta.at),
    )
