"""The first owner: a command of the system on its topic, decided by identity like any other."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from infra.ops import topics
from infra.ops.grant import GrantError, grant
from infra.ops.topic_broker import BrokerError
from infra.settings import Settings
from tests.accounts import an_account
from tests.gateway.mesh import Mesh, following, open_mesh


@pytest.fixture
async def mesh(migrated: Settings) -> AsyncIterator[Mesh]:
    """Identity's handlers behind the topic of its commands."""
    await topics.apply(migrated)
    async with open_mesh(migrated) as mesh, following(migrated, mesh):
        yield mesh


@pytest.fixture
async def handle(mesh: Mesh) -> str:
    """That of a member."""
    handle = f"h{uuid4().hex[:20]}"
    await mesh.open(an_account(uuid4(), handle))
    return handle


async def test_the_system_makes_an_owner_and_says_when_the_role_counts(
    migrated: Settings, mesh: Mesh, handle: str
) -> None:
    told = await grant(migrated, handle, "owner")

    assert told == (
        f"@{handle} has the role owner now; it is in the next access token."
        f" It counts only when @{handle} signs in with a second factor."
    )
    row = await mesh.connection.fetchrow(
        "SELECT a.roles, r.actor FROM auth.account a JOIN auth.role_audit r USING (account_id)"
        " WHERE handle = $1",
        handle,
    )
    assert (row["roles"], row["actor"]) == (["member", "owner"], None)


async def test_a_role_that_somebody_has_is_not_given_twice(migrated: Settings, handle: str) -> None:
    assert await grant(migrated, handle, "member") == f"@{handle} has the role member already."


@pytest.mark.parametrize("role", ["king", "owner:everything"])
async def test_a_role_that_there_is_not_is_refused_with_those_that_there_are(
    migrated: Settings, handle: str, role: str
) -> None:
    with pytest.raises(GrantError, match="reader, member, analyst, moderator, admin, owner"):
        await grant(migrated, handle, role)


async def test_a_handle_that_nobody_has_is_refused(migrated: Settings, mesh: Mesh) -> None:
    with pytest.raises(GrantError, match="nobody has the handle @nobody"):
        await grant(migrated, "nobody", "owner")


async def test_a_broker_that_is_away_is_named(migrated: Settings, handle: str) -> None:
    with pytest.raises(BrokerError, match=r"the broker at 127\.0\.0\.1:1 did not take it"):
        await grant(migrated.model_copy(update={"kafka": "127.0.0.1:1"}), handle, "owner")
