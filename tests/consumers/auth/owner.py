"""Somebody with an account, an app and a passkey device: what he asks of identity, command by command."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from consumers.auth import enrolling, factors, key_pairs, recovery_codes, second_factor, step_up, totp, vault
from consumers.auth.store import accounts, contacts
from infra.runtime import Db
from infra.sealing import encrypt, new_nonce
from schemas import factors as contract
from schemas.ids import made_by
from tests.authenticator import Authenticator
from tests.consumers.auth.test_signing_in import an_account, signs_in
from tests.given import ANA, NOON, meta
from tests.sealing import Decided, boxed, decide

ORIGIN = "http://localhost:8000"
ADDRESS = "192.0.2.7"


def code_of(secret: str, minutes: float) -> str:
    """What an authenticator app with this secret shows so many minutes after noon."""
    app = TOTP(base64.b32decode(secret), totp.DIGITS, SHA1(), totp.STEP)
    return app.generate(int(NOON.timestamp() + minutes * 60)).decode()


@dataclass
class Owner:
    """An account's owner."""

    db: Db
    account: UUID = ANA
    handle: str = "ana"
    session: UUID = field(default_factory=uuid4)
    device: Authenticator = field(default_factory=lambda: Authenticator(ORIGIN))
    secret: str = ""
    codes: list[str] = field(default_factory=list)

    async def begins(self, minutes: float = 0) -> "Owner":
        """He has an account, and signs in to it."""
        await an_account(self.db, self.account, self.handle)
        wrapped = vault.wrap(bytes(12), bytes(32), vault.data_key_about(self.account))
        await accounts.keep_data_key(self.db, self.account, wrapped)
        address = f"{self.handle}@example.org"
        email = encrypt(bytes(32), new_nonce(), address.encode(), vault.email_about(self.account))
        await contacts.change(self.db, self.account, vault.lookup("email", address), email)
        signed_in = await signs_in(self.db, self.handle, minutes=minutes)
        self.session = UUID(signed_in.answer["session_id"])
        return self

    def totp(self, minutes: float) -> str:
        """What his app shows."""
        return code_of(self.secret, minutes)

    async def adds(self, kind: Any, minutes: float = 1, name: str = "phone") -> Decided:
        """Begins to add a factor."""
        asked = meta(self.account, minutes=minutes)
        contents = contract.AddFactorContents(session=self.session, kind=kind, name=name)
        ids = {"account_id": self.account, "factor_id": made_by(asked.id, "factors")}
        wish, key = await boxed(self.db, contract.AddFactor, contents, asked, **ids)
        return await decide(self.db, enrolling.add_factor, key_pairs.open_box, wish, asked, key)

    async def confirms(self, factor: str, minutes: float = 1, **proof: str) -> Decided:
        """Shows that it works."""
        asked = meta(self.account, minutes=minutes)
        contents = contract.ConfirmFactorContents(session=self.session, address=ADDRESS, **proof)
        ids = {"account_id": self.account, "factor_id": UUID(factor)}
        wish, key = await boxed(self.db, contract.ConfirmFactor, contents, asked, **ids)
        return await decide(self.db, enrolling.confirm_factor, enrolling.counted, wish, asked, key)

    async def enrols_an_app(self, minutes: float = 1) -> str:
        """Adds an authenticator app that works; its id. The step of the minute before is used up by that."""
        added = (await self.adds("totp", minutes)).answer
        self.secret = added["totp"]["secret"]
        confirmed = await self.confirms(added["id"], minutes, totp=self.totp(minutes - 0.5))
        assert confirmed.refused is None
        self.codes = confirmed.answer["recovery_codes"] or self.codes
        return str(added["id"])

    async def enrols_a_passkey(self, minutes: float = 1) -> str:
        """Makes a passkey; its id."""
        added = (await self.adds("passkey", minutes, "key")).answer
        made = self.device.create(json.dumps(added["passkey"]))
        confirmed = await self.confirms(added["id"], minutes, passkey=made)
        assert confirmed.refused is None
        self.codes = confirmed.answer["recovery_codes"] or self.codes
        return str(added["id"])

    async def names(self, factor: str, name: str, minutes: float = 2) -> Decided:
        """Calls a factor something else."""
        asked = meta(self.account, minutes=minutes)
        contents = contract.NameFactorContents(session=self.session, name=name)
        ids = {"account_id": self.account, "factor_id": UUID(factor)}
        wish, key = await boxed(self.db, contract.NameFactor, contents, asked, **ids)
        return await decide(self.db, factors.name_factor, key_pairs.open_box, wish, asked, key)

    async def removes(self, factor: str, minutes: float = 2) -> Decided:
        """Gives a factor up."""
        asked = meta(self.account, minutes=minutes)
        contents = contract.FactorContents(session=self.session)
        ids = {"account_id": self.account, "factor_id": UUID(factor)}
        wish, key = await boxed(self.db, contract.RemoveFactor, contents, asked, **ids)
        return await decide(self.db, factors.remove_factor, key_pairs.open_box, wish, asked, key)

    async def makes_codes(self, minutes: float = 2) -> Decided:
        """Asks for new recovery codes."""
        asked = meta(self.account, minutes=minutes)
        contents = contract.FactorContents(session=self.session)
        wish, key = await boxed(self.db, contract.MakeRecoveryCodes, contents, asked, account_id=self.account)
        handler = recovery_codes.make_recovery_codes
        return await decide(self.db, handler, key_pairs.open_box, wish, asked, key)

    async def is_asked(self, minutes: float = 2) -> dict[str, Any]:
        """Signs in with the password; what is asked of him then."""
        challenge: dict[str, Any] = (await signs_in(self.db, self.handle, minutes=minutes)).answer[
            "challenge"
        ]
        return challenge

    async def steps_up(self, minutes: float, **proof: Any) -> Decided:
        """Proves once more who he is."""
        asked = meta(self.account, minutes=minutes)
        contents = contract.ReauthenticateContents(address=ADDRESS, **proof)
        wish, key = await boxed(self.db, contract.Reauthenticate, contents, asked, session_id=self.session)
        return await decide(self.db, step_up.reauthenticate, step_up.checked, wish, asked, key)


async def answers(db: Db, challenge: str, minutes: float = 2, **proof: str) -> Decided:
    """Somebody answers a challenge."""
    asked = meta(None, minutes=minutes)
    contents = contract.ChallengeProof(address=ADDRESS, **proof)
    wish, key = await boxed(db, contract.AnswerChallenge, contents, asked, challenge_id=UUID(challenge))
    return await decide(db, second_factor.answer_challenge, second_factor.counted, wish, asked, key)


async def begins_challenge(
    db: Db, actor: UUID | None = None, session: UUID | None = None, minutes: float = 2
) -> Decided:
    """Somebody asks for something to sign."""
    asked = meta(actor, minutes=minutes)
    contents = contract.BeginChallengeContents(session=session, address=ADDRESS)
    ids = {"challenge_id": made_by(asked.id, "challenges")}
    wish, key = await boxed(db, contract.BeginChallenge, contents, asked, **ids)
    return await decide(db, second_factor.begin_challenge, key_pairs.open_box, wish, asked, key)
