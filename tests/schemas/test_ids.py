"""Ids that follow from what they name: fixed for ever, so their values are written down here."""

from schemas.ids import ACCOUNTS, THINGS, account_id, pick_id, thing_id
from schemas.refs import VERSION, canonical


def test_the_ids_of_this_release_are_those_of_every_release() -> None:
    assert str(account_id("ada")) == "488a4d93-43e6-5e92-99ef-dbf32fa29484"
    assert str(thing_id("movielens:50")) == "9332deb8-feb9-5b6b-877a-b3e4c6202380"
    assert str(pick_id(account_id("ada"), thing_id("movielens:50"))) == "681f044a-0d2b-5814-806a-de77b2bf2ada"


def test_a_handle_ignores_case() -> None:
    assert account_id("Ada") == account_id("aDA") == account_id("ada")
    assert account_id("ada") != account_id("ada2")


def test_references_of_one_thing_have_one_id() -> None:
    refs = ["http://www.example.org/a/", "https://EXAMPLE.org/a?utm_source=x", "https://example.org/a#b"]

    assert len({thing_id(canonical(ref)) for ref in refs}) == 1


def test_a_person_has_one_pick_of_a_thing_and_shares_it_with_nobody() -> None:
    ada, bob, thing = account_id("ada"), account_id("bob"), thing_id("movielens:50")

    assert pick_id(ada, thing) == pick_id(ada, thing)
    assert len({pick_id(ada, thing), pick_id(bob, thing), pick_id(ada, thing_id("movielens:51"))}) == 3


def test_accounts_and_things_have_spaces_of_their_own() -> None:
    assert ACCOUNTS != THINGS
    assert account_id("movielens:50") != thing_id("movielens:50")


def test_the_namespace_of_things_carries_the_version_of_the_normaliser() -> None:
    assert VERSION == 1
    assert str(THINGS) == "98cb7d9f-c9ad-5c6d-9514-86f54a9a6db7"
