"""The description of the API is valid, complete, and what the gateway does."""

import json
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from gateway.app import declared_routes
from gateway.openapi import openapi as make
from gateway.problems import KINDS
from gateway.routes import auth, credentials
from gateway.routes.factor_shapes import (
    ChallengeAnswer,
    Confirmation,
    FactorRenamed,
    NewFactor,
    Reauthentication,
)
from gateway.routes.me import NewHandle, ProfileChanges
from gateway.routes.picks import NewPick, PickChanges
from gateway.routes.sessions import SessionName
from gateway.routing.sealed import SealedRoute

BODIES: dict[str, Any] = {
    model.__name__: model
    for model in (
        *(NewPick, PickChanges, ProfileChanges, NewHandle, SessionName),
        *(ChallengeAnswer, Confirmation, FactorRenamed, NewFactor, Reauthentication),
        *(auth.NewAccount, auth.Credentials, auth.Refresh),
        *(credentials.PasswordChange, credentials.Forgotten, credentials.NewPassword),
        *(credentials.EmailChange, credentials.Resend),
    )
}
METHODS = {"get", "post", "put", "patch", "delete"}
DOCUMENT: dict[str, Any] = make(declared_routes())
OPERATIONS = {
    f"{method} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}
SEALED = {
    f"{method.lower()} {route.path}"
    for route in declared_routes()
    if isinstance(route, SealedRoute)
    for method in route.methods or ()
}
"""Those with secrets: nothing of them is kept under a key."""


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follow references."""
    while "$ref" in node:
        target: Any = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def schema_of(reference: dict[str, Any]) -> dict[str, Any]:
    """A schema that resolves its references within the document."""
    return {**reference, "components": DOCUMENT["components"]}


async def test_it_is_valid_and_served(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/openapi.json")

    validate(answer.json())
    assert answer.json() == json.loads(json.dumps(DOCUMENT))
    assert answer.headers["content-type"] == "application/json"


def test_it_has_every_route_and_no_other() -> None:
    declared = {f"{m.lower()} {route.path}" for route in declared_routes() for m in route.methods or ()}

    assert set(OPERATIONS) == declared


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described_with_security_headers_and_problems(name: str) -> None:
    operation = OPERATIONS[name]

    assert operation["description"]
    assert operation["operationId"]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert {"bearer": []} in operation["security"]
    for status in ("401", "408", "422", "429", "431"):
        assert "application/problem+json" in operation["responses"][status]["content"]
    for status, response in operation["responses"].items():
        assert "X-Request-Id" in response["headers"], status
        if status in ("429", "503"):
            assert "Retry-After" in response["headers"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_answer_with_a_body_has_an_example_that_obeys_its_schema(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        for content in response.get("content", {}).values():
            examples = [example["value"] for example in content.get("examples", {}).values()]
            examples += resolve(content["schema"]).get("examples", [])
            assert examples, status
            for example in examples:
                OAS31Validator(schema_of(content["schema"])).validate(example)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "requestBody" in OPERATIONS[name]])
def test_every_request_body_has_an_example_that_is_accepted(name: str) -> None:
    schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]
    model = BODIES[schema["$ref"].rpartition("/")[2]]

    for example in resolve(schema)["examples"]:
        TypeAdapter(model).validate_json(json.dumps(example))
        OAS31Validator(schema_of(schema)).validate(example)
    assert resolve(schema)["additionalProperties"] is False


@pytest.mark.parametrize("name", OPERATIONS)
def test_writes_take_a_key_unless_they_are_sealed_and_reads_take_pickly_after(name: str) -> None:
    parameters = {resolve(parameter)["name"] for parameter in OPERATIONS[name].get("parameters", [])}

    if name in SEALED:
        assert "Prefer" in parameters
        assert "Idempotency-Key" not in parameters
    elif not name.startswith("get"):
        assert {"Idempotency-Key", "Prefer"} <= parameters
    elif OPERATIONS[name]["x-reads"]:
        assert {"Pickly-After", "If-None-Match"} <= parameters


def test_an_edit_says_that_if_match_is_needed() -> None:
    parameters = [resolve(each) for each in OPERATIONS["patch /v1/picks/{pick_id}"]["parameters"]]

    assert [each["required"] for each in parameters if each["name"] == "If-Match"] == [True]


def test_every_reference_leads_somewhere() -> None:
    def references(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for each in node for found in references(each)]
        if not isinstance(node, dict):
            return []
        own = [node] if "$ref" in node else []
        return own + [found for each in node.values() for found in references(each)]

    assert all(resolve(reference) for reference in references(DOCUMENT))


def test_the_problems_that_routes_document_are_those_of_the_table() -> None:
    shown = {
        slug
        for operation in OPERATIONS.values()
        for response in operation["responses"].values()
        for slug in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }

    assert shown <= set(KINDS)
    assert {
        "already-picked",
        "stale",
        "outcome-unknown",
        "idempotency-key-reused",
        "not-yet-visible",
    } <= shown


async def test_the_reference_page_is_shipped_and_loads_nothing_from_elsewhere(
    anybody: httpx.AsyncClient,
) -> None:
    page = await anybody.get("/docs")
    policy = page.headers["content-security-policy"]

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "://" not in page.text
    assert "<style" not in page.text
    for asset in ("/docs/reference.js", "/docs/reference.css"):
        assert asset in page.text
        served = await anybody.get(asset)
        assert served.status_code == 200
        assert "://" not in served.text
        assert served.headers["x-content-type-options"] == "nosniff"


async def test_the_root_leads_to_the_reference(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
