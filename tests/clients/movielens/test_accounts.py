"""Tokens of many accounts, each minted when needed and again before it ends."""

from unittest.mock import patch

from clients.movielens.accounts import LIFETIME, Accounts
from clients.python import NewPick, NewThing, Pickly
from tests.clients.platform import Platform

A_PICK = NewPick(thing=NewThing(ref="imdb:tt0114709", kind="film", title="Toy Story"))


async def test_a_token_is_minted_once_per_account_and_again_before_it_ends(
    platform: Platform, pickly: Pickly
) -> None:
    minted: list[str] = []

    def mint(handle: str) -> str:
        minted.append(handle)
        return f"token-of-{handle}"

    accounts = Accounts(pickly, mint)
    with patch("clients.movielens.accounts.time") as clock:
        clock.time.return_value = 1000.0
        for handle in ("ana", "ben", "ana"):
            await accounts.of(handle).publish(A_PICK)
        assert minted == ["ana", "ben"]

        clock.time.return_value += LIFETIME - 60
        await accounts.of("ana").publish(A_PICK)

    assert minted == ["ana", "ben", "ana"]
    sent = [seen.headers["authorization"] for seen in platform.sent("POST")]
    assert sent == [f"Bearer token-of-{handle}" for handle in ("ana", "ben", "ana", "ana")]
