"""Which passwords may be set, alone and beside a second factor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.auth.passwords import broken_rules

NAMES = ["ana.lopez", "Ana L\u00f3pez Garc\u00eda", "reader1984"]
LEAKED = frozenset({"a stolen umbrella stand"})


def rules(password: str, *names: str, second_factor: bool = False) -> list[str]:
    return [broken.rule for broken in broken_rules(password, names, LEAKED, second_factor=second_factor)]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple", "lighthouse keeper hat", "correcthorsebatterystaple",
        "teapots dream of rain", "MyDogRexIs12YearsOld", "x8dK2-qqP0vv-33aQ", "qnvkzjwpxhtrbgl",
        "семь синих чайников", "七只蓝色的茶壶在雨中做梦并唱歌呢",
        "   lots   of   space   here   ", "\U0001f511\U0001f4da\U0001f3a9 hats and books",
    ],
)  # fmt: skip
def test_a_long_password_of_any_composition_is_taken(password: str) -> None:
    assert rules(password, *NAMES) == []


@pytest.mark.parametrize("password", ["x7Kq!m2z", "gk zmw p", "tq-84-vw", "qnvkzjwp", "teapot rain"])
def test_beside_a_second_factor_a_short_one_is_taken(password: str) -> None:
    assert rules(password, *NAMES, second_factor=True) == []
    assert rules(password, *NAMES) == ["too_short"] or "common" in rules(password, *NAMES)


@pytest.mark.parametrize(("second_factor", "least"), [(False, 15), (True, 8)])
def test_length_is_counted_in_characters(second_factor: bool, least: int) -> None:
    letters = "qnvkzjwpxhtrbgl"[:least]
    accented = letters[:-1] + "e\u0301"

    assert rules(letters, second_factor=second_factor) == []
    assert "too_short" in rules(letters[:-1], second_factor=second_factor)
    assert rules(accented, second_factor=second_factor) == []
    assert "too_short" in rules(accented[1:], second_factor=second_factor)


def test_at_most_128_characters() -> None:
    long = "teapots dream of rain and kites " * 4

    assert len(long) == 128
    assert "too_long" not in rules(long)
    assert rules(long + "!") == ["too_long"]
    assert "too_long" not in rules("e\u0301" * 128)


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword", "passwordpasswordx", "PasswordPassword", "P@ssw0rdP@ssw0rd", "drowssapdrowssap",
        "123456789012345", "987654321987654", "000000000000000", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaab",
        "aaaaaaaabbbbbbbb", "111111222222333", "abcabcabcabcabc", "abcdefghijklmno", "zyxwvutsrqponml",
        "qwertyuiopasdfgh", "asdfghjklqwertyuiop", "qwertyuiop12345", "Qwertyuiop12345!", "zxcvbnmasdfghjkl",
        "1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv", "qazwsxedcrfvtgb", "qazwsxedcrfvtgbyhn",
        "iloveyouiloveyou", "iloveyou!iloveyou!", "letmeinletmein1", "letmeinplease123",
        "passwordletmein123", "password12345678", "Password12345678!", "1234567890abcdef",
        "administrator123", "adminadminadmin", "welcomewelcome1", "trustno1trustno1", "footballbaseball",
        "januaryfebruary", "januaryfebruarymarch", "michaeljacksonmichael", "thisismypassword",
        "mypasswordispassword", "Summer2026Summer2026", "picklypicklypickly", "               ",
        "abc123abc123abc123", "12345678900987654321", "purplemonkeydishwasher", "........................",
    ],
)  # fmt: skip
def test_a_long_password_that_is_tried_first_is_refused(password: str) -> None:
    assert "common" in rules(password)


@pytest.mark.parametrize(
    "password",
    [
        "password", "Password1", "P@ssw0rd", "12345678", "qwertyui", "letmein1", "sunshine1", "Summer2026",
        "aaaaaaaa", "teapot42", "abcd1234", "monkey12!", "12/12/1984", "iloveyou", "football", "zxcvbnm1",
        "20262026",
    ],
)  # fmt: skip
def test_a_short_password_that_is_tried_first_is_refused_beside_a_second_factor_too(password: str) -> None:
    assert "common" in rules(password, second_factor=True)


def test_three_everyday_words_do_beside_a_second_factor_only() -> None:
    assert rules("januaryfebruarymarch", second_factor=True) == []
    assert rules("januaryfebruarymarch") == ["common"]


def test_a_breached_password_is_refused() -> None:
    assert rules("a stolen umbrella stand") == ["breached"]
    assert rules("a stolen umbrella stands") == []


@pytest.mark.parametrize(
    "password",
    [
        "ana.lopez.ana.lopez", "AnaLopez-1990!!", "ana_lopez_ana_lopez_", "Garcia+Lopez+99",
        "L\u00f3pezGarc\u00edaL\u00f3pez", "reader1984reader", "1984!reader1984!", "!!reader1984!!!",
        "zepol..lopezlopez", "picklypickly2k6",
    ],
)  # fmt: skip
def test_a_password_made_of_names_is_refused(password: str) -> None:
    assert "similar" in rules(password, *NAMES)


@pytest.mark.parametrize("password", ["lopez garcia", "anaLopez", "ana.lopez.garcia", "lopezgar", "reader19"])
def test_a_part_of_a_name_is_refused(password: str) -> None:
    assert "similar" in rules(password, *NAMES, second_factor=True)


@pytest.mark.parametrize(
    "password",
    [
        "lopez likes teapots in the rain", "the reader of the evening news", "bananas and anagrams",
        "!#%&/()=?+*~-_.:",
    ],
)  # fmt: skip
def test_a_name_in_a_password_that_is_long_enough_without_it_is_no_harm(password: str) -> None:
    assert "similar" not in rules(password, *NAMES)


def test_eight_characters_besides_the_name_are_enough() -> None:
    assert rules("reader1984 qnvkzjw", *NAMES) == []
    assert rules("reader1984qnvkzjw", *NAMES) == ["similar"]
    assert rules("(=?+*~:;)reader1984", *NAMES) == []


def test_a_short_password_without_a_name_is_only_short() -> None:
    assert "similar" not in rules("kzjw", *NAMES)


@pytest.mark.parametrize("short", ["a", "bo", "ana", "a.n", "!", ""])
def test_a_short_name_blocks_nothing(short: str) -> None:
    assert rules("bob anagrams!", short, second_factor=True) == []
    assert rules("anakzjwq", short, second_factor=True) == []
    assert rules("a$%&/()=", short, "ana lopez", second_factor=True) == []


def test_all_broken_rules_are_told_at_once_in_sentences_without_the_password() -> None:
    broken = broken_rules("ana.lopez", NAMES, frozenset({"ana.lopez"}), second_factor=False)

    assert [each.rule for each in broken] == ["too_short", "common", "breached", "similar"]
    assert all(each.text.endswith(".") and "lopez" not in each.text for each in broken)
    assert "15" in broken[0].text


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=140), st.booleans())
def test_every_text_is_judged(password: str, second_factor: bool) -> None:
    found = rules(password, *NAMES, second_factor=second_factor)

    assert len(found) == len(set(found))
    if len(password.encode()) < 8:
        assert "too_short" in found


@given(st.text(max_size=20), st.text(max_size=20))
def test_more_names_never_make_a_password_better(password: str, name: str) -> None:
    assert set(rules(password, *NAMES)) <= set(rules(password, *NAMES, name))
