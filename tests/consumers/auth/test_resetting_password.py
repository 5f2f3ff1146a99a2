"""A forgotten password: the code works once, for half an hour, and for its account alone."""

from uuid import UUID

import pytest

from consumers.auth import chores, resetting_password
from consumers.auth.hashing import hasher
from consumers.auth.store import accounts, sessions
from infra.partitions import partition_of
from infra.runtime import Db
from infra.sealing import b64, unb64
from schemas.credentials import AskPasswordReset, IdentifierContents, ResetPassword, ResetPasswordContents
from schemas.message import Tick
from schemas.security import SecurityNoted
from schemas.topics import AUTH_COMMANDS
from tests.consumers.auth.credentials import ANOTHER, HERE, PASSWORD, a_member, a_session, mails, sealed
from tests.given import ANA, BO, NOON, meta
from tests.sealing import Decided

ASK = (resetting_password.ask_password_reset, resetting_password.opened)
SET = (resetting_password.reset_password, resetting_password.proven)


async def asks(db: Db, identifier: str = "ana", address: str = HERE, minutes: float = 1) -> Decided:
    """Somebody forgot a password."""
    contents = IdentifierContents(identifier=identifier, address=address)
    return await sealed(db, AskPasswordReset, contents, ASK, minutes)


async def sets(db: Db, token: str, password: str = ANOTHER, minutes: float = 2) -> Decided:
    """Somebody uses a code, split as the gateway splits it."""
    raw = unb64(token)
    contents = ResetPasswordContents(secret=b64(raw[16:]), password=password, address=HERE)
    return await sealed(db, ResetPassword, contents, SET, minutes, account_id=UUID(bytes=raw[:16]))


async def code(db: Db, minutes: float = 1) -> str:
    """The code in Ana's mail."""
    return mails(await asks(db, minutes=minutes))[0]["token"]


@pytest.mark.parametrize("name", ["ana", "@Ana", "ANA@example.org"])
async def test_the_mail_goes_to_the_account_whatever_it_is_called(auth_db: Db, name: str) -> None:
    await a_member(auth_db)

    (mail,) = mails(await asks(auth_db, name))

    assert (mail["letter"], mail["to"], mail["handle"]) == ("reset_password", "ana@example.org", "ana")


async def test_a_code_sets_a_password_and_ends_every_session(auth_db: Db) -> None:
    await a_member(auth_db)
    await a_session(auth_db, "laptop")

    done = await sets(auth_db, await code(auth_db))

    assert done.refused is None
    assert await sessions.of_account(auth_db, ANA) == []
    now = await accounts.credentials(auth_db, ANA)
    assert now is not None
    assert await hasher().matches(now.password, ANOTHER)
    assert [mail["letter"] for mail in mails(done)] == ["password_changed"]
    assert [each.kind for each in done.events() if isinstance(each, SecurityNoted)] == ["password_reset"]


async def test_a_code_works_once(auth_db: Db) -> None:
    await a_member(auth_db)
    token = await code(auth_db)
    await sets(auth_db, token)

    assert (await sets(auth_db, token, PASSWORD)).refused == "link_invalid"


async def test_a_newer_code_replaces_the_one_before(auth_db: Db) -> None:
    await a_member(auth_db)
    first, second = await code(auth_db), await code(auth_db)

    assert (await sets(auth_db, first)).refused == "link_invalid"
    assert (await sets(auth_db, second)).refused is None


async def test_a_code_is_good_for_half_an_hour(auth_db: Db) -> None:
    await a_member(auth_db)
    token = await code(auth_db, minutes=0)

    assert (await sets(auth_db, token, minutes=30)).refused == "link_invalid"
    assert (await sets(auth_db, token, minutes=29.9)).refused is None


async def test_a_code_is_good_for_its_account_alone(auth_db: Db) -> None:
    await a_member(auth_db)
    await a_member(auth_db, BO, "bo.reads")
    secret = unb64(await code(auth_db))[16:]

    assert (await sets(auth_db, b64(BO.bytes + secret))).refused == "link_invalid"
    assert (await sets(auth_db, b64(ANA.bytes + bytes(32)))).refused == "link_invalid"
    assert (await sets(auth_db, b64(ANA.bytes))).refused == "link_invalid"


async def test_a_password_that_breaks_a_rule_uses_no_code_up(auth_db: Db) -> None:
    await a_member(auth_db)
    token = await code(auth_db)

    assert (await sets(auth_db, token, "fourteen chars")).refused == "password_too_short"
    assert (await sets(auth_db, token)).refused is None


async def test_nobodys_mail_is_written_and_goes_nowhere(auth_db: Db) -> None:
    (mail,) = mails(await asks(auth_db, "nobody.has.it"))

    assert (mail["letter"], mail["to"]) == ("reset_password", "")
    assert (await sets(auth_db, mail["token"])).refused == "link_invalid"


async def test_asking_again_and_again_is_slowed_down(auth_db: Db) -> None:
    await a_member(auth_db)

    known = [(await asks(auth_db)).refused for _ in range(5)]
    unknown = [(await asks(auth_db, "nobody.has.it")).refused for _ in range(5)]

    assert known == unknown == [None] * 3 + ["too_many_attempts"] * 2


async def test_the_log_of_the_account_has_it_a_minute_later_and_nobodys_has_nothing(auth_db: Db) -> None:
    await a_member(auth_db)
    await asks(auth_db, minutes=1)
    await asks(auth_db, "nobody.has.it", minutes=1)
    here = partition_of(str(ANA), AUTH_COMMANDS)
    ticks = [Tick(topic=AUTH_COMMANDS.name, partition=n) for n in range(AUTH_COMMANDS.partitions)]

    noted = [await chores.tidy(tick, meta(None, minutes=2), auth_db, []) for tick in ticks * 2]

    entries = [each for each in noted[here] if isinstance(each, SecurityNoted)]
    assert [(each.account_id, each.kind) for each in entries] == [(ANA, "password_reset_asked")]
    assert entries[0].at == NOON.replace(minute=1)
    others = [each for n, messages in enumerate(noted) if n != here for each in messages]
    assert not [each for each in others if isinstance(each, SecurityNoted)]


async def test_codes_that_nobody_used_are_forgotten(auth_db: Db) -> None:
    await asks(auth_db, "nobody.has.it", minutes=0)

    for partition in range(AUTH_COMMANDS.partitions):
        tick = Tick(topic=AUTH_COMMANDS.name, partition=partition)
        await chores.tidy(tick, meta(None, minutes=30), auth_db, [])

    assert await auth_db.fetchval("SELECT count(*) FROM proof") == 0
