"""Addresses: where mail goes, which spellings are one mailbox, and what of one is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.auth.addresses import AddressError, deliverable, masked, normalised

WRITTEN = st.emails() | st.builds(
    "{}@{}.org".format,
    st.text("aZ\u00e4\u00d6\u0130\u03a3\u212a\u00df.+_9", min_size=1),
    st.text("bQ\u00fc3", min_size=1),
)


def spelling(address: str) -> str | None:
    """Its normalised form, or None if it is no address."""
    try:
        return normalised(address)
    except AddressError:
        return None


@pytest.mark.parametrize(
    ("written", "sent_to"),
    [
        ("ana@example.org", "ana@example.org"),
        ("Ana.Bo@Example.ORG", "Ana.Bo@example.org"),
        ("ana@B\u00fccher.example", "ana@xn--bcher-kva.example"),
        ("ana@bu\u0308cher.example", "ana@xn--bcher-kva.example"),
        ("ana@XN--Bcher-KVA.example", "ana@xn--bcher-kva.example"),
        ("ana@fa\u00df.example", "ana@xn--fa-hia.example"),
        ("ana@\uff45xample.org", "ana@example.org"),
        ("ju\u0308rgen@example.org", "j\u00fcrgen@example.org"),
        ("\u212aay@example.org", "Kay@example.org"),
    ],
)
def test_mail_goes_to_the_name_as_written_at_a_domain_in_ascii(written: str, sent_to: str) -> None:
    assert deliverable(written) == sent_to
    assert deliverable(sent_to) == sent_to


@pytest.mark.parametrize(
    "address",
    [
        "nobody", "ana@localhost", "bo@ana@here.org", "ana@here.org\r\nBcc: bo@here.org", "ana@\u2603.org",
        "ana@\u05d0a.org", "ana@xn--99999999.org", "ana@a\u0338b.org\u200b", "ana@he_re.org", "ana@127.0.0.1",
        "ana@here.\u2460\u2461", f"ana@{chr(0xFC) * 60}.org",
        f"{'x' * 20}@{(chr(0xFC) + '.') * 30}org", f"ana@{(chr(0xFC) + '.') * 40}org",
    ],
)  # fmt: skip
def test_where_no_mail_can_go_is_an_error_that_does_not_repeat_the_address(address: str) -> None:
    with pytest.raises(AddressError) as refused:
        deliverable(address)

    assert str(refused.value).startswith(("an e-mail address", "the part "))
    assert address.rpartition("@")[2].partition(".")[0] not in str(refused.value)


@pytest.mark.parametrize(
    "spellings",
    [
        ["ana.bo@example.org", "Ana.Bo@example.org", "ANA.BO@EXAMPLE.ORG"],
        [
            "ana@b\u00fccher.example",
            "Ana@B\u00dcCHER.example",
            "ana@bu\u0308cher.example",
            "ana@xn--bcher-kva.example",
        ],
        ["j\u00fcrgen@example.org", "J\u00dcRGEN@example.org", "ju\u0308rgen@example.org"],
    ],
)
def test_spellings_of_one_mailbox_are_one(spellings: list[str]) -> None:
    assert len({normalised(written) for written in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana@example.org", "ana+books@example.org"),
        ("anabo@example.org", "ana.bo@example.org"),
        ("ana@example.org", "ana@mail.example.org"),
        ("strasse@example.org", "stra\u00dfe@example.org"),
        ("ana@fass.example", "ana@fa\u00df.example"),
        ("jurgen@example.org", "j\u00fcrgen@example.org"),
        ("ana@example.org", "\u0430na@example.org"),
        ("mikey@example.org", "m\u0131key@example.org"),
    ],
)
def test_two_mailboxes_stay_two(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(WRITTEN)
def test_normalising_twice_is_normalising_once(address: str) -> None:
    once = spelling(address)

    assert once is None or normalised(once) == once


@given(WRITTEN)
def test_the_unicode_form_of_an_address_does_not_matter(address: str) -> None:
    assert spelling(unicodedata.normalize("NFD", address)) == spelling(unicodedata.normalize("NFC", address))


@given(WRITTEN)
def test_only_ascii_becomes_ascii(address: str) -> None:
    """Or a look-alike of another person's name would be looked up as that person."""
    once = spelling(address)

    assert once is None or once.isascii() == deliverable(address).isascii()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ana@example.org", "a***@e***.org"),
        ("a@b.org", "a***@b***.org"),
        ("ana.bo+books@mail.example.co.uk", "a***@m***.uk"),
        ("\u00e4nn@b\u00fccher.example", "\u00e4***@b***.example"),
    ],
)
def test_little_of_an_address_is_shown(address: str, shown: str) -> None:
    assert masked(address) == shown
