"""Passkeys: a good device registers and signs in; whatever is wrong with its answer, it proves nothing."""

import json
from dataclasses import replace
from traceback import format_exception
from uuid import UUID

import pytest

from consumers.auth.passkeys import (
    Credential,
    PasskeyError,
    Use,
    authentication_options,
    check_authentication,
    check_registration,
    claimed,
    registration_options,
)
from consumers.auth.relying import Relying
from tests.authenticator import AAGUID, Authenticator, Fault, InvalidStateError, b64

ORIGIN = "https://app.pickly.example"
RP = Relying("pickly.example", "Pickly", ("https://pickly.example", ORIGIN))
ANA = UUID("0198c0de-0000-7000-8000-00000000000a")
BOB = UUID("0198c0de-0000-7000-8000-00000000000b")
CHALLENGE = bytes(range(32))
OTHER_CHALLENGE = bytes(32)

REASONS = {
    Fault.ORIGIN: "address",
    Fault.RP: "another site",
    Fault.CHALLENGE: "another challenge",
    Fault.UNVERIFIED: "did not verify the person",
    Fault.ABSENT: "not what a passkey answers",
    Fault.FRAMED: "inside a page",
}
"""Faults of every ceremony, with a word of the reason."""


def registered(device: Authenticator, account: UUID = ANA) -> Credential:
    options = registration_options(RP, account, "ana", CHALLENGE, [])
    return check_registration(device.create(options), CHALLENGE, RP)


def signed_in(device: Authenticator, credential: Credential, *, named: bool = False) -> Use:
    options = authentication_options(RP, CHALLENGE, [credential] if named else [])
    return check_authentication(device.get(options), CHALLENGE, credential, ANA, RP, named=named)


@pytest.mark.parametrize("self_attested", [False, True])
def test_a_device_registers_and_signs_in_without_a_name(self_attested: bool) -> None:
    device = Authenticator(ORIGIN, self_attested=self_attested)

    credential = registered(device)
    answer = device.get(authentication_options(RP, OTHER_CHALLENGE))
    claim = claimed(answer)
    use = check_authentication(answer, OTHER_CHALLENGE, credential, ANA, RP, named=False)

    assert credential.transports == ("hybrid", "internal")
    assert (credential.sign_count, credential.backed_up) == (0, False)
    assert UUID(credential.aaguid).bytes == AAGUID
    assert (claim.id, claim.account) == (credential.id, ANA.bytes)
    assert use == Use(sign_count=1, backed_up=False, went_back=False)


def test_the_options_ask_for_a_verified_person_and_a_discoverable_credential() -> None:
    has = registered(Authenticator(ORIGIN))

    create = json.loads(registration_options(RP, ANA, "ana", CHALLENGE, [has]))
    get = json.loads(authentication_options(RP, CHALLENGE))

    assert create["authenticatorSelection"]["residentKey"] == "required"
    assert create["authenticatorSelection"]["userVerification"] == get["userVerification"] == "required"
    assert create["rp"] == {"id": "pickly.example", "name": "Pickly"}
    assert create["user"] == {"id": b64(ANA.bytes), "name": "ana", "displayName": "ana"}
    assert create["challenge"] == get["challenge"] == b64(CHALLENGE)
    assert [each["id"] for each in create["excludeCredentials"]] == [b64(has.id)]
    assert create["attestation"] == "none"
    assert get["rpId"] == "pickly.example"
    assert get["allowCredentials"] == []


def test_a_device_that_is_registered_already_is_excluded() -> None:
    device = Authenticator(ORIGIN)
    has = registered(device)

    with pytest.raises(InvalidStateError):
        device.create(registration_options(RP, ANA, "ana", CHALLENGE, [has]))


@pytest.mark.parametrize("fault", REASONS)
def test_a_registration_with_one_thing_wrong_is_refused_for_that(fault: Fault) -> None:
    with pytest.raises(PasskeyError, match=REASONS[fault]):
        registered(Authenticator(ORIGIN, faults={fault}))


@pytest.mark.parametrize("fault", REASONS)
def test_a_sign_in_with_one_thing_wrong_is_refused_for_that(fault: Fault) -> None:
    device = Authenticator(ORIGIN)
    credential = registered(device)

    device.faults = {fault}

    with pytest.raises(PasskeyError, match=REASONS[fault]):
        signed_in(device, credential)


def test_a_wrong_signature_is_refused() -> None:
    device = Authenticator(ORIGIN, self_attested=True)
    credential = registered(device)

    device.faults = {Fault.SIGNATURE}

    with pytest.raises(PasskeyError, match="signature"):
        signed_in(device, credential)
    with pytest.raises(PasskeyError, match="signature"):
        registered(device)


def test_a_key_of_another_device_does_not_sign_for_this_credential() -> None:
    device = Authenticator(ORIGIN)
    credential = replace(registered(Authenticator(ORIGIN)), id=registered(device).id)

    with pytest.raises(PasskeyError, match="signature"):
        signed_in(device, credential)


def test_an_answer_from_another_credential_is_refused() -> None:
    device = Authenticator(ORIGIN)
    first = registered(device)
    registered(device)

    with pytest.raises(PasskeyError, match="another passkey"):
        signed_in(device, first)


def test_a_named_credential_is_the_one_that_answers() -> None:
    device = Authenticator(ORIGIN)
    first = registered(device)
    registered(device)

    assert signed_in(device, first, named=True).sign_count == 1


def test_an_answer_for_another_account_is_refused() -> None:
    device = Authenticator(ORIGIN)
    credential = registered(device, account=BOB)

    with pytest.raises(PasskeyError, match="another account"):
        signed_in(device, credential)
    with pytest.raises(PasskeyError, match="another account"):
        signed_in(device, credential, named=True)


def test_only_a_named_credential_may_leave_the_account_out() -> None:
    device = Authenticator(ORIGIN)
    credential = registered(device)

    device.faults = {Fault.NO_OWNER}

    assert claimed(device.get(authentication_options(RP, CHALLENGE))).account is None
    with pytest.raises(PasskeyError, match="another account"):
        signed_in(device, credential)
    assert signed_in(device, credential, named=True).sign_count == 3


def test_a_counter_that_goes_back_or_stands_still_is_told_and_not_fatal() -> None:
    device = Authenticator(ORIGIN)
    credential = registered(device)
    for _ in range(3):
        use = signed_in(device, credential)

    assert not signed_in(device, replace(credential, sign_count=use.sign_count)).went_back
    assert signed_in(device, replace(credential, sign_count=5)) == Use(5, backed_up=False, went_back=True)

    device.faults = {Fault.COUNTER}

    assert signed_in(device, replace(credential, sign_count=5)) == Use(4, backed_up=False, went_back=True)


def test_a_synced_passkey_has_no_counter_and_that_is_no_anomaly() -> None:
    device = Authenticator(ORIGIN, synced=True)
    credential = registered(device)

    assert credential.backed_up
    assert signed_in(device, credential) == Use(0, backed_up=True, went_back=False)
    assert signed_in(device, replace(credential, sign_count=3)).went_back


def test_a_reason_holds_nothing_of_the_answer() -> None:
    device = Authenticator(ORIGIN, faults={Fault.ORIGIN})

    with pytest.raises(PasskeyError) as caught:
        registered(device)

    assert "evil.example" not in "".join(format_exception(caught.value))


def test_a_short_challenge_is_refused_before_the_library_draws_its_own() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        registration_options(RP, ANA, "ana", b"", [])
    with pytest.raises(ValueError, match="32 random bytes"):
        authentication_options(RP, bytes(31))
