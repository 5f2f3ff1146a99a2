"""Handles that nobody gets, and handles that look alike."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from consumers.auth.handles import RESERVED, is_reserved, skeleton
from schemas.identity_types import HANDLE, Handle

HANDLES = st.from_regex(HANDLE, fullmatch=True).filter(lambda text: 3 <= len(text) <= 30).map(str.lower)


@pytest.mark.parametrize(
    "alike",
    [
        ["solo", "s0lo", "sol0", "so1o", "soio", "s.o.l.o", "s_0-1o"],
        ["lilli", "l1lli", "iilli", "illil", "l-i-1-l-i"],
        ["moment", "rnoment", "mornent", "rnornent", "r.noment"],
        ["walter", "vvalter", "vvaiter", "vva1-ter"],
        ["vwx", "wvx", "vvvx"],
        ["anna.k", "anna-k", "anna_k", "annak"],
        ["a10", "aio", "alo", "al0", "a.i.o"],
    ],
)
def test_handles_that_look_alike_are_one(alike: list[str]) -> None:
    assert len({skeleton(handle) for handle in alike}) == 1


def test_handles_that_look_different_are_several() -> None:
    different = ["ana", "anna", "ann", "bo", "bob", "hanna", "johan", "johanna", "norn", "nom", "noun", "won"]
    groups = {skeleton(handle) for handle in different}

    assert skeleton("norn") == skeleton("nom")
    assert len(groups) == len(different) - 1


@given(HANDLES)
def test_the_skeleton_of_a_skeleton_is_itself(handle: str) -> None:
    assert skeleton(skeleton(handle)) == skeleton(handle)


@given(HANDLES, HANDLES)
def test_a_skeleton_is_made_letter_by_letter(one: str, other: str) -> None:
    """So no look-alike hides across a border: `r` + `n` is `m` wherever it stands."""
    assert skeleton(one + other) == skeleton(one) + skeleton(other)


@given(HANDLES)
def test_nothing_is_left_of_what_has_a_double(handle: str) -> None:
    assert not set(skeleton(handle)) & set("01imw_.-")
    assert skeleton(handle)


@pytest.mark.parametrize(
    "handle",
    [
        "admin", "adm1n", "adrnin", "a-d-m-i-n", "a.dmin", "admln", "api", "ap1", "support", "supp0rt",
        "root", "r00t", "m.e", "system", "sys.tem", "staff", "moderator", "moderat0r", "about", "login",
        "log-in", "l0g1n", "settings", "sett1ngs", "www", "vvvvvv", "wvvw", "v-vww", "postmaster",
        "p0strnaster", "webmaster", "no-reply", "noreply", "n0.reply", "security", "owner", "ovvner",
        "null", "nuii", "well-known", "pickly", "pick1y", "picklyteam", "the.pickly.support", "real-plckly",
        "p.i.c.k.l.y", "notpickly",
    ],
)  # fmt: skip
def test_reserved_words_and_their_doubles_are_nobodys(handle: str) -> None:
    assert is_reserved(handle)


@pytest.mark.parametrize(
    "handle",
    ["ana", "bo2", "prickly", "tickly.one", "adminton", "badmin", "apia", "roots.manuva", "loginov", "mel",
     "stafford", "supporter", "abouts", "pick.my.brain", "rootless"],
)  # fmt: skip
def test_other_handles_are_free(handle: str) -> None:
    assert not is_reserved(handle)


@given(st.sampled_from(sorted(RESERVED)), st.data())
def test_no_separator_makes_a_reserved_word_free(word: str, data: st.DataObject) -> None:
    bare = word.replace("-", "")
    assume(len(bare) > 1)
    at = data.draw(st.integers(1, len(bare) - 1))

    assert is_reserved(bare[:at] + data.draw(st.sampled_from("_.-")) + bare[at:])


def test_the_list_has_every_word_once_and_no_comment_in_it() -> None:
    skeletons = sorted(map(skeleton, RESERVED))

    assert len(RESERVED) > 300
    assert all(one != other for one, other in pairwise(skeletons))
    assert all(word == word.lower() and word.isascii() and word[0].isalpha() for word in RESERVED)


@pytest.mark.parametrize("word", sorted(word for word in RESERVED if 3 <= len(word) <= 30))
def test_a_reserved_word_has_the_shape_of_a_handle(word: str) -> None:
    """Otherwise nobody could ask for it, and the list would promise what the shape does."""
    assert TypeAdapter(Handle).validate_python(word) == word
