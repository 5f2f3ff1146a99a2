"""Public keys that gateways seal commands to, and verify access tokens with."""

from consumers.projections.keys import store
from infra.runtime import Batch, Db, Projection
from schemas.keys import KeyGone, KeyPublished
from schemas.topics import KEY_EVENTS

keys = Projection("keys", KEY_EVENTS)


@keys.on(KeyPublished)
async def show(batch: Batch[KeyPublished], db: Db) -> None:
    """A new key is there for every gateway before it is used."""
    await store.show(db, [item.message for item in batch])


@keys.on(KeyGone)
async def drop(batch: Batch[KeyGone], db: Db) -> None:
    """A key whose private half is destroyed verifies and seals nothing any more."""
    await store.drop(db, [item.message for item in batch])
