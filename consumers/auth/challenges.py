"""Challenges: what somebody is asked who must prove a factor, for five minutes and one answer."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import orjson

from consumers.auth import passkeys, proofs
from consumers.auth.relying import relying
from consumers.auth.store import challenges, factors
from consumers.auth.store.challenges import Challenge
from consumers.auth.store.factors import Factor
from infra.runtime import Db

EXPIRES: Final = timedelta(minutes=5)


async def ask(db: Db, challenge: Challenge) -> dict[str, object]:
    """Keep a challenge to an account; what its owner is asked."""
    assert challenge.account_id is not None
    await challenges.add(db, challenge)
    confirmed = await factors.confirmed(db, challenge.account_id)
    left = await factors.codes_left(db, challenge.account_id)
    return shown(challenge, confirmed, len(left))


def shown(challenge: Challenge, confirmed: Sequence[Factor], codes_left: int) -> dict[str, object]:
    """A challenge as an answer; without an account any passkey may answer it."""
    known = proofs.credentials(confirmed)
    alone = challenge.account_id is None
    fields: dict[str, object] = {
        "id": str(challenge.challenge_id),
        "expires_in": int(EXPIRES.total_seconds()),
        "methods": ["passkey"] if alone else proofs.methods(confirmed, codes_left),
    }
    if alone or known:
        options = passkeys.authentication_options(relying(), challenge.random, known)
        fields["passkey"] = orjson.loads(options)
    return {"challenge": fields}
