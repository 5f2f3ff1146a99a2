"""Passkeys: WebAuthn Level 3 with the person verified and the credential discoverable, on PyPI's `webauthn`.

What a browser sends is hostile until checked: whatever goes wrong with it is one PasskeyError.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from consumers.auth.relying import Relying

CHALLENGE: Final = 32
"""Bytes of a challenge, random and for one use."""
LIFETIME: Final = timedelta(minutes=5)
"""How long a challenge may be answered, as Level 3 recommends where the person is verified."""
MAX_RESPONSE: Final = 16 * 1024
"""Characters; one without attestation has about 1,000."""
MAX_ID: Final = 1023
"""Bytes of a credential's id, by the standard."""
ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
REASONS: Final = {
    "Client data challenge": "it answers another challenge",
    "Unexpected client data origin": "it was made on an address that is not one of ours",
    "Unexpected RP ID hash": "it was made for another site",
    "User verification is required": "the device did not verify the person",
    "Could not verify": "its signature is wrong",
}
"""By the beginning of the library's message; the rest of that message may quote the input."""
T = TypeVar("T")


class PasskeyError(Exception):
    """The browser's answer proves nothing. The text says why and holds nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What is stored of a passkey."""

    id: bytes
    public_key: bytes
    """COSE."""
    sign_count: int
    transports: tuple[str, ...]
    backed_up: bool
    aaguid: str
    """The authenticator's model as it names itself, unproven: for a name and an icon only."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which passkey an answer speaks for, unproven: to look up what to check it with."""

    id: bytes
    account: bytes | None


@dataclass(frozen=True, slots=True)
class Use:
    """A proven use of a passkey, with what to store."""

    sign_count: int
    backed_up: bool
    went_back: bool
    """The counter did not grow: perhaps a copied key. Not fatal; synced passkeys stay at 0 and are fine."""


def registration_options(
    rp: Relying, account: UUID, handle: str, challenge: bytes, exclude: Sequence[Credential]
) -> str:
    """JSON for `parseCreationOptionsFromJSON`; `exclude` are the passkeys that the account has already."""
    options = generate_registration_options(
        rp_id=rp.id,
        rp_name=rp.name,
        user_id=account.bytes,
        user_name=handle,
        challenge=_long_enough(challenge),
        timeout=int(LIFETIME / timedelta(milliseconds=1)),
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(exclude),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json(options)


def authentication_options(rp: Relying, challenge: bytes, allow: Sequence[Credential] = ()) -> str:
    """JSON for `parseRequestOptionsFromJSON`; without `allow` the person chooses, and needs no name."""
    options = generate_authentication_options(
        rp_id=rp.id,
        challenge=_long_enough(challenge),
        timeout=int(LIFETIME / timedelta(milliseconds=1)),
        allow_credentials=_descriptors(allow),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def check_registration(response: str, challenge: bytes, rp: Relying) -> Credential:
    """The new passkey in a RegistrationResponseJSON. Raises PasskeyError."""
    return _guarded(response, lambda: _registration(response, challenge, rp))


def claimed(response: str) -> Claim:
    """Whom an AuthenticationResponseJSON claims to be from. Raises PasskeyError."""
    parsed = _guarded(response, lambda: parse_authentication_credential_json(response))
    return Claim(parsed.raw_id, parsed.response.user_handle)


def check_authentication(
    response: str, challenge: bytes, credential: Credential, account: UUID, rp: Relying, *, named: bool
) -> Use:
    """The proven use in an AuthenticationResponseJSON of `account`, the owner of `credential`.

    The answer must name the account too, unless the options already `named` the credential (then browsers
    may leave it out). Raises PasskeyError.
    """
    return _guarded(response, lambda: _authentication(response, challenge, credential, account, rp, named))


def _registration(response: str, challenge: bytes, rp: Relying) -> Credential:
    parsed = parse_registration_credential_json(response)
    verified = verify_registration_response(
        credential=parsed,
        expected_challenge=challenge,
        expected_rp_id=rp.id,
        expected_origin=list(rp.origins),
        require_user_verification=True,
        supported_pub_key_algs=ALGORITHMS,
    )
    _not_framed(parsed.response.client_data_json)
    if len(verified.credential_id) > MAX_ID or verified.credential_id != parsed.raw_id:
        raise PasskeyError("its id is too long or not the one that was signed")
    # The library would store a key that is none, and every sign-in with it would fail.
    decoded_public_key_to_cryptography(decode_credential_public_key(verified.credential_public_key))
    return Credential(
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        tuple(sorted({transport.value for transport in parsed.response.transports or ()})),
        verified.credential_backed_up,
        verified.aaguid,
    )


def _authentication(
    response: str, challenge: bytes, credential: Credential, account: UUID, rp: Relying, named: bool
) -> Use:
    parsed = parse_authentication_credential_json(response)
    if parsed.raw_id != credential.id:
        raise PasskeyError("it is from another passkey")
    owner = parsed.response.user_handle
    if owner != account.bytes and not (named and owner is None):
        raise PasskeyError("it is for another account")
    verified = verify_authentication_response(
        credential=parsed,
        expected_challenge=challenge,
        expected_rp_id=rp.id,
        expected_origin=list(rp.origins),
        credential_public_key=credential.public_key,
        credential_current_sign_count=0,  # with the stored one the library would refuse what went back
        require_user_verification=True,
    )
    _not_framed(parsed.response.client_data_json)
    count, before = verified.new_sign_count, credential.sign_count
    return Use(count, verified.credential_backed_up, went_back=count <= before and (count, before) != (0, 0))


def _guarded(response: str, check: Callable[[], T]) -> T:
    if len(response) > MAX_RESPONSE:
        raise PasskeyError("it is too long")
    try:
        return check()
    except PasskeyError:
        raise
    except Exception as error:  # the library lets KeyError, TypeError, RecursionError and more through
        reason = next((why for start, why in REASONS.items() if str(error).startswith(start)), None)
        raise PasskeyError(reason or "it is not what a passkey answers") from None


def _not_framed(client_data: bytes) -> None:
    """A page of another site may frame ours, and the library does not look."""
    if parse_client_data_json(client_data).cross_origin:
        raise PasskeyError("it was made inside a page of another site")


def _long_enough(challenge: bytes) -> bytes:
    if len(challenge) < CHALLENGE:  # for an empty one the library would draw its own
        raise ValueError(f"a challenge has at least {CHALLENGE} random bytes")
    return challenge


def _descriptors(credentials: Sequence[Credential]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=each.id, transports=[AuthenticatorTransport(t) for t in each.transports]
        )
        for each in credentials
    ]
