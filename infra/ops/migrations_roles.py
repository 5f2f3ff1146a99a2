"""Login roles and what each may touch: its own schema, and the few things that cross schemas by design."""

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from infra.ops.migrations_files import MigrationError
from infra.ops.migrations_runner import HISTORY
from infra.ops.trace_tables import versioned_tables
from infra.roles import READ_PREFIX, login_roles, schemas

if TYPE_CHECKING:
    from asyncpg import Connection

OWNER: Final = "migrate"
LIMITS: Final = {"gateway": 60, "relay": 60, "ops": 20}
GROUP_LIMIT: Final = 60
"""One process per partition at most, each with a pool of four and one connection to spare."""
ITERATIONS: Final = 4096
"""What the server itself would use."""


async def ensure_role(connection: "Connection", role: str, password: str, *, dry_run: bool) -> list[str]:
    """Make the login role, or set its password, connection limit and search_path in this database anew."""
    attributes = await connection.fetchrow(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,"
        " EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid) AS member"
        " FROM pg_roles WHERE rolname = $1",
        role,
    )
    if attributes is not None and any(attributes.values()):
        raise MigrationError(
            f"the role {role} may more than log in ({', '.join(k for k, v in attributes.items() if v)}); "
            "take that away as the database's superuser, or drop the role"
        )
    if not dry_run:
        await _write_role(connection, role, password, exists=attributes is not None)
    return [] if attributes is not None else [f"role {role} created"]


async def _write_role(connection: "Connection", role: str, password: str, *, exists: bool) -> None:
    verb = "ALTER" if exists else "CREATE"
    limit = LIMITS.get(role, GROUP_LIMIT)
    path = role if role in schemas() else "''"
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    async with connection.transaction():
        await connection.execute(
            f"{verb} ROLE {role} LOGIN CONNECTION LIMIT {limit} PASSWORD '{scram_verifier(role, password)}'"
        )
        await connection.execute(f"ALTER ROLE {role} IN DATABASE {database} SET search_path = {path}")


def scram_verifier(role: str, password: str, salt: bytes | None = None) -> str:
    """What the server stores for a password (RFC 5803): the password itself is never in a statement or log.

    Raises MigrationError for a password beyond ASCII: RFC 4013 would have to normalise it first.
    """
    if not password.isascii() or not password.isprintable() or not password:
        raise MigrationError(f"the secret pg_{role} must be printable ASCII, and not empty")
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored = base64.b64encode(hashlib.sha256(client_key).digest()).decode()
    server = base64.b64encode(hmac.digest(salted, b"Server Key", "sha256")).decode()
    return f"SCRAM-SHA-256${ITERATIONS}:{base64.b64encode(salt).decode()}${stored}:{server}"


async def close_database(connection: "Connection") -> None:
    """Only the declared roles may connect, nobody makes temporary tables, and `public` is nobody's."""
    database = await connection.fetchval("SELECT quote_ident(current_database())")
    async with connection.transaction():
        await connection.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {', '.join(login_roles())}")


async def grant_group(connection: "Connection", schema: str, role: str) -> None:
    """Set every right on `schema`, whose group is `role`, anew; call it within a transaction."""
    everybody = ", ".join(("PUBLIC", *(other for other in login_roles() if other != OWNER)))
    for objects in ("SCHEMA", "ALL TABLES IN SCHEMA", "ALL SEQUENCES IN SCHEMA"):
        await connection.execute(f"REVOKE ALL ON {objects} {schema} FROM {everybody}")
    shared = _projection_grants(schema) if role.startswith(READ_PREFIX) else _decider_grants(schema)
    await connection.execute(
        f"""
        GRANT USAGE ON SCHEMA {schema} TO {role}, ops;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
        REVOKE ALL ON {schema}.{HISTORY} FROM {role};
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
        GRANT SELECT ON {schema}.position, {schema}.dead_letter TO ops;
        GRANT UPDATE (state, note) ON {schema}.dead_letter TO ops;
        {shared}
        """
    )
    if role.startswith(READ_PREFIX):
        for table in await versioned_tables(connection, [schema]):
            await connection.execute(f"GRANT SELECT ({table.columns}) ON {schema}.{table.name} TO ops")


def _decider_grants(schema: str) -> str:
    return f"""
        GRANT SELECT ON {schema}.decision TO ops;
        GRANT SELECT (group_name, message_id, touched_at) ON {schema}.inbox TO ops;
        GRANT SELECT (group_name, kind, cause, attempts, due_at, leased_until, dead_at)
              ON {schema}.effect TO ops;
        GRANT USAGE ON SCHEMA {schema} TO relay;
        GRANT SELECT, DELETE ON {schema}.outbox TO relay;
        GRANT SELECT, UPDATE (offsets) ON {schema}.decision TO relay;
    """


def _projection_grants(schema: str) -> str:
    """Dead letters hold bodies of messages; the gateway sees them through `mesh.dead` only, without those."""
    return f"""
        GRANT USAGE ON SCHEMA {schema} TO gateway;
        GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO gateway;
        REVOKE ALL ON {schema}.dead_letter, {schema}.{HISTORY} FROM gateway;
    """
