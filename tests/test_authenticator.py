"""The software authenticator keeps to the standard where the product's checks would not notice."""

import json

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.authenticator import Authenticator, NotAllowedError, b64, cbor

ORIGIN = "http://localhost:8000"
CREATE = {
    "rp": {"id": "localhost", "name": "Pickly"},
    "user": {"id": b64(b"0123456789abcdef"), "name": "ana", "displayName": "Ana"},
    "challenge": b64(bytes(32)),
    "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
}
GET = {"rpId": "localhost", "challenge": b64(bytes(32))}

numbers = st.integers(-65536, 65535)
values = st.recursive(
    numbers | st.binary(max_size=300) | st.text(max_size=300),
    lambda inner: st.dictionaries(numbers | st.text(max_size=30), inner, max_size=30),
    max_leaves=10,
)


@given(value=values)
def test_its_cbor_is_read_by_another_library_as_it_was_written(value: object) -> None:
    assert cbor2.loads(cbor(value)) == value


def test_it_signs_in_with_the_last_credential_or_with_the_one_that_is_allowed() -> None:
    device = Authenticator(ORIGIN)
    first, last = (json.loads(device.create(json.dumps(CREATE)))["id"] for _ in range(2))
    allowed = GET | {"allowCredentials": [{"id": first, "type": "public-key"}]}

    assert json.loads(device.get(json.dumps(GET)))["id"] == last
    assert json.loads(device.get(json.dumps(allowed)))["id"] == first


def test_it_has_no_credential_for_another_site_or_list() -> None:
    device = Authenticator(ORIGIN)
    device.create(json.dumps(CREATE))

    with pytest.raises(NotAllowedError, match="evil"):
        device.get(json.dumps(GET | {"rpId": "evil.example"}))
    with pytest.raises(NotAllowedError, match="no credential"):
        device.get(json.dumps(GET | {"allowCredentials": [{"id": b64(b"x"), "type": "public-key"}]}))
    with pytest.raises(NotAllowedError, match="no credential"):
        Authenticator(ORIGIN).get(json.dumps(GET))


def test_it_makes_no_credential_for_another_site_or_algorithm() -> None:
    with pytest.raises(NotAllowedError, match="evil"):
        Authenticator("https://evil.example").create(json.dumps(CREATE))
    with pytest.raises(NotAllowedError, match="ES256"):
        Authenticator(ORIGIN).create(json.dumps(CREATE | {"pubKeyCredParams": [{"alg": -257}]}))
