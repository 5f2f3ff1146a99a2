"""The consumer runtime: deciders and projections over Kafka and PostgreSQL, each effect exactly once.

`docs/architecture.md` tells the way of a message; the rules are listed with their tests in
`tests/infra/runtime/`.
"""

from infra.runtime.decider import Decider
from infra.runtime.handlers import Db
from infra.runtime.projection import Projection
from infra.runtime.results import Batch, Effect, Item, Outcome, Refusal, Reply, Unchanged

__all__ = [
    "Batch",
    "Db",
    "Decider",
    "Effect",
    "Item",
    "Outcome",
    "Projection",
    "Refusal",
    "Reply",
    "Unchanged",
]
