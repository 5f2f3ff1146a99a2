"""What a session gives its owner: an access token for ten minutes, and a refresh token for the next one."""

from datetime import datetime
from ipaddress import ip_address, ip_network
from uuid import UUID, uuid5

from consumers.auth import key_pairs, refresh_tokens, vault
from consumers.auth.rotation import Family
from infra.runtime import Db
from infra.tokens import LIFETIME, Claims, issue
from schemas.accounts import AccountState
from schemas.sessions import UNUSED_ENDS, SessionState


def family_key(session_id: UUID) -> bytes:
    """The key from which every refresh token of a session follows."""
    return refresh_tokens.family_key(vault.family_root(), session_id)


def new_family(session_id: UUID, seed: bytes, at: datetime) -> tuple[refresh_tokens.RefreshToken, Family]:
    """The first refresh token of a session, and what is stored of it."""
    token = refresh_tokens.first(family_key(session_id), session_id, seed)
    return token, Family(refresh_tokens.digest(token), None, at, at + UNUSED_ENDS)


async def tokens(
    db: Db,
    account: AccountState,
    session: SessionState,
    refresh: refresh_tokens.RefreshToken | None,
    *,
    at: datetime,
    factor_at: datetime,
    token_id: UUID,
) -> dict[str, object]:
    """The answer of a sign-in or a refresh (RFC 6749 section 5.1), with the session's id.

    Without `refresh` the client keeps the refresh token that it has.
    """
    now = int(at.timestamp())
    claims = Claims(
        account=account.account_id,
        session=str(session.session_id),
        roles=frozenset(account.roles),
        expires_at=now + LIFETIME,
        issued_at=now,
        assurance=session.assurance,
        factor_at=int(factor_at.timestamp()),
    )
    key = await key_pairs.signing_key(db, at)
    answer: dict[str, object] = {
        "access_token": issue(claims, key, str(uuid5(token_id, "token"))),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "session_id": str(session.session_id),
        "account_id": str(account.account_id),
        "handle": account.handle,
    }
    return answer if refresh is None else answer | {"refresh_token": refresh.text()}


def coarse(address: str) -> str:
    """The network that an address lies in (/24, IPv6 /48): enough to recognise a place by."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))
