"""Identity: open an account, sign in, renew tokens."""

from typing import Final
from uuid import UUID

from gateway import cookies
from gateway.cookies import Delivery, browser_or_app, deliverable
from gateway.problems import ProblemError
from gateway.routes.factor_shapes import ChallengeAsked, given_as, shown_as
from gateway.routes.picks import Strict
from gateway.routing.sealed import SealedRouter, Sealing
from gateway.routing.visitor import Visit
from infra.sealing import b64, unb64
from schemas import ids
from schemas.identity_types import Email, Handle, Password, PasswordGiven
from schemas.registration import ConfirmRegistration, ProofContents, Register, RegisterContents
from schemas.sessions import (
    Device,
    Identifier,
    RefreshContents,
    RefreshTokens,
    SignIn,
    SignInContents,
)

writes: Final = SealedRouter("Identity")
ACCOUNT_ID: Final = "5f0c3b1e-6a7d-5c2b-9e84-1d2f3a4b5c6d"
PHRASE: Final = "a walk along the winter sea"
NOT_GOOD_ENOUGH: Final = (
    *("password-too-short", "password-common"),
    *("password-breached", "password-similar"),
)
RENEWAL: Final = "0sGwqY9-XWyLSjkoFwYFBKJ3bTq1vX0sYkZk3m9yQ2w"


class NewAccount(Strict):
    """Who wants an account."""

    model_config = given_as({"handle": "ana", "email": "ana@example.org", "password": PHRASE})

    handle: Handle
    email: Email
    password: Password


class Sent(Strict):
    """A mail is on its way to the address that was given."""

    model_config = shown_as({"status": "done"})

    status: str = "done"


@writes.sealed(
    "POST",
    "/v1/auth/registrations",
    may="auth.public",
    shows=Sent,
    status=202,
    limit="registration",
    hashes=True,
    refusals=("handle-reserved", "handle-taken", "email-invalid", *NOT_GOOD_ENOUGH),
)
def register(new: NewAccount, visitor: Visit) -> Sealing[Register]:
    """Ask for an account. A mail with a code goes to the address; the account begins when it is confirmed."""
    contents = RegisterContents(**new.model_dump(), address=visitor.address)
    return Sealing(Register, contents, {"account_id": ids.made_by(visitor.command_id, "accounts")})


class Confirmed(Strict):
    """The account that has begun."""

    model_config = shown_as({"account_id": ACCOUNT_ID, "handle": "ana"})

    account_id: UUID
    handle: str


@writes.sealed(
    "PUT",
    "/v1/auth/email-verifications/{token}",
    may="auth.public",
    shows=Confirmed,
    limit="verification",
    refusals=("link-invalid",),
)
def confirm_registration(token: str, visitor: Visit) -> Sealing[ConfirmRegistration]:
    """Confirm an e-mail address with the code that was sent there."""
    account_id, secret = halves(token)
    contents = ProofContents(secret=secret, address=visitor.address)
    return Sealing(ConfirmRegistration, contents, {"account_id": account_id})


class Credentials(Strict):
    """Handle or e-mail address, and password; `device` is what the session will be called.

    With `delivery: cookie` the refresh token comes as a cookie, for browsers.
    """

    model_config = given_as(
        {"identifier": "ana", "password": PHRASE, "device": "phone"},
        {"identifier": "ana@example.org", "password": PHRASE, "delivery": "cookie"},
    )

    identifier: Identifier
    password: PasswordGiven
    device: Device = ""
    delivery: Delivery = "body"


class SignedIn(Strict):
    """Tokens (RFC 6749 section 5.1). The refresh token is good for one use; a browser's is in its cookie."""

    model_config = shown_as(
        {
            "access_token": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
            "token_type": "Bearer",
            "expires_in": 600,
            "refresh_token": RENEWAL,
            "session_id": "d2c1b0a9-8f7e-5d6c-8b4a-392817060504",
            "account_id": ACCOUNT_ID,
            "handle": "ana",
        }
    )

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str | None = None
    session_id: UUID
    account_id: UUID
    handle: str


@writes.sealed(
    "POST",
    "/v1/auth/sessions",
    may="auth.public",
    shows=SignedIn,
    status=201,
    asks=ChallengeAsked,
    limit="sign-in",
    hashes=True,
    refusals=("credentials-wrong", "suspended", "too-many-attempts"),
    present=browser_or_app,
)
def sign_in(credentials: Credentials, visitor: Visit) -> Sealing[SignIn]:
    """Sign in with a password. An account with second factors is asked for one."""
    delivery = deliverable(credentials.delivery, visitor.request)
    contents = SignInContents(**credentials.model_dump(exclude={"delivery"}), address=visitor.address)
    return Sealing(
        SignIn,
        contents,
        {"session_id": ids.made_by(visitor.command_id, "sessions")},
        identifier=credentials.identifier,
        delivery=delivery,
    )


class Refresh(Strict):
    """The refresh token; left out, it is the one in the cookie."""

    model_config = given_as({"refresh_token": RENEWAL}, {})

    refresh_token: str | None = None


@writes.sealed(
    "POST",
    "/v1/auth/tokens",
    may="auth.public",
    shows=SignedIn,
    limit="token-refresh",
    refusals=("refresh-refused", "csrf-refused"),
    present=browser_or_app,
)
def refresh_tokens(refresh: Refresh, visitor: Visit) -> Sealing[RefreshTokens]:
    """Exchange a refresh token for the next one and a new access token.

    A browser sends its cookie, from a page of ours and with the header `Pickly-CSRF: 1`, and gets a new one.
    """
    delivery: Delivery = "body" if refresh.refresh_token is not None else "cookie"
    token = refresh.refresh_token or cookies.refresh_token(visitor.request) or ""
    session_id, _ = halves(token, "refresh-refused")
    contents = RefreshContents(token=token, address=visitor.address)
    return Sealing(RefreshTokens, contents, {"session_id": session_id}, delivery=delivery)


def halves(token: str, problem: str = "link-invalid") -> tuple[UUID, str]:
    """The id that begins a token, and the rest, which is secret. Raises ProblemError."""
    try:
        raw = unb64(token)
        return UUID(bytes=raw[:16]), b64(raw[16:])
    except ValueError:
        raise ProblemError(problem, "This is not one of our codes; copy it whole.") from None
