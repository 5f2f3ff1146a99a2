"""`python -m infra.ops.grant HANDLE ROLE`: the system gives somebody a role, as for the first owner.

It is a command like those of staff: identity decides it, ends older tokens and writes it down.
"""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from infra.ops.complaints import complaining
from infra.ops.database import DatabaseError, ops_connection
from infra.ops.topic_broker import BrokerError
from infra.partitions import partition_of
from infra.settings import Settings
from infra.settings import settings as process_settings
from schemas.envelope import Meta
from schemas.roles import ROLES, GrantRole, role_of

if TYPE_CHECKING:
    from asyncpg import Connection

PATIENCE: Final = 20.0
LOOK_EVERY: Final = 0.1
FIND: Final = "SELECT account_id FROM read_accounts.account WHERE handle = $1"
DECIDED: Final = "SELECT status, reason FROM mesh.decisions WHERE command_id = $1"
TOLD: Final = {
    "decided": "@{handle} has the role {role} now; it is in the next access token.",
    "unchanged": "@{handle} has the role {role} already.",
}
USELESS: Final = "It counts only when @{handle} signs in with a second factor."


class GrantError(RuntimeError):
    """The role was not given; the text says why and what to do."""


async def grant(settings: Settings, handle: str, role: str) -> str:
    """Ask identity for it and wait; what became of it, in words. Raises GrantError and BrokerError."""
    async with ops_connection(settings, role="gateway") as db:
        account_id: UUID | None = await db.fetchval(FIND, handle)
        if account_id is None:
            raise GrantError(
                f"nobody has the handle @{handle}. Register it first; people who only have a token of"
                " ./pickly token have no account."
            )
        try:
            command = GrantRole(account_id=account_id, role=role)
        except ValidationError:
            scoped = "moderator:queue:spam"
            raise GrantError(f"{role!r} is no role: {', '.join(ROLES)}, or as in {scoped}") from None
        outcome = await _decision(db, await _send(settings, command))
    text = TOLD[outcome].format(handle=handle, role=role)
    given = role_of(role)
    return f"{text} {USELESS.format(handle=handle)}" if given and given.second_factor else text


async def _send(settings: Settings, command: GrantRole) -> UUID:
    """Put it on its topic as the system, without an actor; returns when the broker has it."""
    meta = Meta(
        id=(command_id := uuid7()),
        type=type(command).__name__,
        at=datetime.now(UTC),
        subject=command.about,
        source="pickly/ops",
        correlation=command_id,
    )
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True)
    try:
        await producer.start()
        await producer.send_and_wait(
            command.topic.name,
            command.body(),
            key=command.key.encode(),
            partition=partition_of(command.key, command.topic),
            headers=[(name, value.encode()) for name, value in meta.headers().items()],
        )
    except (KafkaError, OSError) as error:
        raise BrokerError(f"the broker at {settings.kafka} did not take it: {error}") from error
    finally:
        await producer.stop()
    return command_id


async def _decision(db: "Connection", command_id: UUID) -> str:
    """`decided` or `unchanged`."""
    try:
        async with asyncio.timeout(PATIENCE):
            while (row := await db.fetchrow(DECIDED, command_id)) is None:  # noqa: ASYNC110  # nothing tells us
                await asyncio.sleep(LOOK_EVERY)
    except TimeoutError:
        raise GrantError(
            f"the command {command_id} waits for identity, which will still decide it; see ./pickly lag"
        ) from None
    if row["status"] not in TOLD:
        raise GrantError(f"identity said no: {row['reason'] or row['status']}")
    return str(row["status"])


def main(
    handle: Annotated[str, typer.Argument(help="whose account, with or without the @")],
    role: Annotated[str, typer.Argument(help=f"{', '.join(ROLES)}; within a scope: moderator:queue:spam")],
) -> None:
    """Give @HANDLE a role, with the rights of the system: for the first owner. Staff do it over HTTP."""
    with complaining("grant", GrantError, DatabaseError, BrokerError):
        typer.echo(asyncio.run(grant(process_settings(), handle.removeprefix("@").lower(), role)))


if __name__ == "__main__":
    typer.run(main)
