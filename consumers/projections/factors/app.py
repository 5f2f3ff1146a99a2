"""Second factors as their owner sees them."""

from consumers.projections.factors import store
from infra.runtime import Batch, Db, Projection
from schemas.factors import FactorsChanged, FactorsGone
from schemas.topics import FACTOR_EVENTS

factors = Projection("factors", FACTOR_EVENTS)


@factors.on(FactorsChanged)
async def show(batch: Batch[FactorsChanged], db: Db) -> None:
    """The newest list of each account."""
    await store.show(db, [item.message for item in batch])


@factors.on(FactorsGone)
async def drop(batch: Batch[FactorsGone], db: Db) -> None:
    """Without an account there is no list."""
    await store.drop(db, [item.message for item in batch])
