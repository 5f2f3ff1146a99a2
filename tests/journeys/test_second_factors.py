"""Second factors through every process: enrolled, signed in with, lost, recovered from, stepped up with."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infra.settings import Settings
from tests.journeys.newcomer import Newcomer
from tests.journeys.stack import Stack, until
from tests.journeys.visitors import PASSWORD, Letterbox

SITE = Settings.model_fields["site"].default.replace("127.0.0.1", "localhost")
FACTORS = "/v1/auth/factors"


def somebody(stack: Stack, letters: Letterbox) -> Iterator[Newcomer]:
    """Has registered and signed in."""
    with httpx.Client(base_url=stack.url, timeout=30) as http:
        person = Newcomer(letters, http, SITE)
        person.registers()
        assert person.signs_in().status_code == 201
        yield person


ana = pytest.fixture(somebody, name="ana")
bo = pytest.fixture(somebody, name="bo")


def enrols_an_app(person: Newcomer) -> dict[str, Any]:
    """Adds an authenticator app; its id, and the recovery codes that come with it."""
    begun = person.http.post(FACTORS, json={"kind": "totp", "name": "phone"}).json()
    person.secret = begun["totp"]["secret"]
    confirmation = {"totp": person.code(-1)}
    confirmed = person.http.put(f"{FACTORS}/{begun['id']}/confirmation", json=confirmation)
    assert confirmed.status_code == 200, confirmed.text
    fields: dict[str, Any] = confirmed.json()
    return fields


def enrols_a_passkey(person: Newcomer) -> str:
    """Makes a passkey; its id."""
    begun = person.http.post(FACTORS, json={"kind": "passkey", "name": "key"}).json()
    confirmation = {"passkey": person.makes(begun["passkey"])}
    confirmed = person.http.put(f"{FACTORS}/{begun['id']}/confirmation", json=confirmation)
    assert confirmed.status_code == 200, confirmed.text
    return str(begun["id"])


def test_from_a_password_to_a_lost_phone(ana: Newcomer) -> None:
    codes = enrols_an_app(ana)["recovery_codes"]
    passkey = enrols_a_passkey(ana)
    assert len(codes) == 10

    asked = ana.signs_in()
    assert asked.status_code == 200
    challenge = asked.json()["challenge"]
    assert challenge["methods"] == ["totp", "passkey", "recovery_code"]
    assert ana.proves(challenge, totp="000000").status_code == 422
    with_code = ana.proves(challenge, totp=ana.code())
    assert with_code.status_code == 201, with_code.text
    assert ana.proves(challenge, totp=ana.code(1)).status_code == 409

    challenge = ana.signs_in().json()["challenge"]
    assert ana.proves(challenge, passkey=ana.shows(challenge["passkey"])).status_code == 201

    del ana.http.headers["authorization"]
    alone = ana.http.post("/v1/auth/challenges").json()["challenge"]
    nameless = ana.proves(alone, passkey=ana.shows(alone["passkey"]), device="tablet")
    assert (nameless.status_code, nameless.json()["handle"]) == (201, ana.handle)

    challenge = ana.signs_in().json()["challenge"]
    assert ana.proves(challenge, recovery_code=codes[0].upper()).status_code == 201
    challenge = ana.signs_in().json()["challenge"]
    assert ana.proves(challenge, recovery_code=codes[0]).status_code == 422
    until(lambda: "9 of them are left" in "".join(ana.letters("A recovery code")), "a mail about the code")
    assert len(ana.letters("A second factor was added")) == 2

    listed = ana.http.get(FACTORS, headers={"pickly-after": asked.headers["pickly-command"]}).json()
    assert {(each["kind"], each["name"]) for each in listed["items"]} == {
        ("totp", "phone"),
        ("passkey", "key"),
    }
    named = ana.http.patch(f"{FACTORS}/{passkey}", json={"name": "blue key"})
    after = {"pickly-after": named.headers["pickly-command"]}
    listed = ana.http.get(FACTORS, headers=after).json()
    assert [each["name"] for each in listed["items"]] == ["phone", "blue key"]
    assert listed["recovery_codes"] == 9
    assert ana.http.get("/v1/auth/recovery-codes", headers=after).json() == {"left": 9}


def test_stepping_up_and_giving_up_factors(ana: Newcomer) -> None:
    with_password = ana.http.post("/v1/auth/reauthentications", json={"password": PASSWORD})
    assert with_password.status_code == 200, with_password.text
    assert "refresh_token" not in with_password.json()
    old = enrols_an_app(ana)["recovery_codes"]
    passkey = enrols_a_passkey(ana)

    refused = ana.http.post("/v1/auth/reauthentications", json={"password": PASSWORD})
    assert refused.json()["type"] == "/problems/password-not-enough"
    with_code = ana.enters(ana.http.post("/v1/auth/reauthentications", json={"totp": ana.code()}))
    assert with_code.status_code == 200, with_code.text
    challenge = ana.http.post("/v1/auth/challenges").json()["challenge"]
    signed = {"challenge": challenge["id"], "passkey": ana.shows(challenge["passkey"])}
    assert ana.http.post("/v1/auth/reauthentications", json=signed).status_code == 200

    made = ana.http.post("/v1/auth/recovery-codes")
    assert made.status_code == 201, made.text
    assert not set(made.json()["recovery_codes"]) & set(old)
    removed = ana.http.delete(f"{FACTORS}/{passkey}")
    assert removed.json() == {"status": "done"}
    listed = ana.http.get(FACTORS, headers={"pickly-after": removed.headers["pickly-command"]}).json()
    assert [each["kind"] for each in listed["items"]] == ["totp"]


def test_nobody_touches_the_factors_of_somebody_else(ana: Newcomer, bo: Newcomer) -> None:
    factor = enrols_an_app(ana)["id"]

    assert bo.http.get(FACTORS).json() == {"items": [], "recovery_codes": 0}
    assert bo.http.delete(f"{FACTORS}/{factor}").status_code == 404
    assert bo.http.patch(f"{FACTORS}/{factor}", json={"name": "mine"}).status_code == 404
    confirmation = bo.http.put(f"{FACTORS}/{factor}/confirmation", json={"totp": ana.code()})
    assert confirmation.status_code == 404
