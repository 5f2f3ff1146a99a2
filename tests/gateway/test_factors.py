"""Routes of second factors: bodies that say one thing, and lists as the read model has them."""

from uuid import uuid4

import httpx
import pytest

from consumers.projections.factors import store
from gateway.routes.factor_shapes import Factors
from schemas.factors import FactorListed, FactorsChanged
from tests.gateway.mesh import Mesh
from tests.gateway.people import Person
from tests.given import NOON

ID = "7d1f6f0a-3a52-5f0e-8b1d-5d2c1b0a9f8e"
CHALLENGE = f"/v1/auth/challenges/{ID}"
STEP_UP = "/v1/auth/reauthentications"
CONFIRM = f"/v1/auth/factors/{ID}/confirmation"
LARGE = {"id": "x" * 17_000}


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("PUT", CHALLENGE, {}, "give one of totp, passkey, recovery_code"),
        ("PUT", CHALLENGE, {"device": "phone"}, "give one of totp, passkey, recovery_code"),
        ("PUT", CHALLENGE, {"totp": "123456", "recovery_code": "x"}, "give one of"),
        ("PUT", CHALLENGE, {"totp": 123456}, "totp"),
        ("PUT", CHALLENGE, {"totp": "1" * 81}, "totp"),
        ("PUT", CHALLENGE, {"passkey": "text"}, "passkey"),
        ("PUT", CHALLENGE, {"passkey": LARGE}, "passkey"),
        ("PUT", CHALLENGE, {"totp": "123456", "delivery": "cookie"}, "needs https"),
        ("PUT", CHALLENGE, {"totp": "123456", "roles": ["owner"]}, "roles"),
        ("POST", STEP_UP, {"totp": "123456", "password": "a password"}, "give one of"),
        ("POST", STEP_UP, {"passkey": {"id": "x"}}, "a passkey and its challenge come together"),
        ("POST", STEP_UP, {"totp": "1", "challenge": ID}, "come together"),
        ("PUT", CONFIRM, {"recovery_code": "x"}, "recovery_code"),
        ("PUT", CONFIRM, {}, "give one of totp, passkey"),
        ("POST", "/v1/auth/factors", {"kind": "sms", "name": "phone"}, "kind"),
        ("POST", "/v1/auth/factors", {"kind": "totp", "name": "  "}, "name"),
        ("PATCH", f"/v1/auth/factors/{ID}", {"name": "two\nlines"}, "name"),
        ("POST", "/v1/auth/challenges", {"totp": "123456"}, "takes no body"),
        ("DELETE", f"/v1/auth/factors/{ID}", {"really": True}, "takes no body"),
    ],
)
async def test_a_body_that_does_not_say_one_thing_is_refused(
    mesh: Mesh, ana: Person, method: str, path: str, body: object, detail: str
) -> None:
    answer = await ana.send(method, path, body)

    assert answer.status_code == 422
    assert detail in answer.text
    assert "123456" not in answer.text


async def test_factors_are_for_who_is_signed_in(mesh: Mesh, anybody: httpx.AsyncClient) -> None:
    for method, path in (("GET", "factors"), ("POST", "factors"), ("GET", "recovery-codes")):
        assert (await anybody.request(method, f"/v1/auth/{path}")).status_code == 401


async def test_an_account_without_factors_has_an_empty_list(mesh: Mesh, ana: Person) -> None:
    assert (await ana.send("GET", "/v1/auth/factors")).json() == {"items": [], "recovery_codes": 0}
    assert (await ana.send("GET", "/v1/auth/recovery-codes")).json() == {"left": 0}


async def test_a_list_is_shown_to_its_owner_alone(mesh: Mesh, ana: Person, bo: Person) -> None:
    phone = FactorListed(id=uuid4(), kind="totp", name="phone", added_at=NOON)
    state = FactorsChanged(account_id=ana.account, factors=(phone,), recovery_codes=9, version=1)
    async with mesh.lock:
        await mesh.search("read_factors")
        await store.show(mesh.connection, [state])

    answer = await ana.send("GET", "/v1/auth/factors")

    shown = Factors.model_validate_json(answer.content)
    assert ([each.name for each in shown.items], shown.recovery_codes) == (["phone"], 9)
    assert (await ana.send("GET", "/v1/auth/recovery-codes")).json() == {"left": 9}
    assert (await bo.send("GET", "/v1/auth/factors")).json()["items"] == []
    again = await ana.send("GET", "/v1/auth/factors", if_none_match=answer.headers["etag"])
    assert again.status_code == 304
