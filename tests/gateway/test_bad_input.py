"""Whatever is sent, a bad request gets a problem with field and rule, and nothing reaches a topic."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from infra.settings import Settings
from schemas.topics import PICK_COMMANDS, REACTION_COMMANDS
from tests.gateway.bad_bodies import BROKEN, NOT_JSON, pick
from tests.gateway.people import Person, new_pick, slug

PLACES = [TopicPartition(t.name, n) for t in (PICK_COMMANDS, REACTION_COMMANDS) for n in range(t.partitions)]
PICK = f"/v1/picks/{uuid4()}"


@pytest.fixture
async def nothing_on_a_topic(servers: Settings) -> AsyncIterator[None]:
    """Fails when a record was appended to a command topic during the test."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers.kafka)
    await consumer.start()
    before = await consumer.end_offsets(PLACES)
    yield
    after = await consumer.end_offsets(PLACES)
    await consumer.stop()
    assert after == before


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
async def test_what_is_no_good_json_is_malformed(ana: Person, nothing_on_a_topic: None, body: bytes) -> None:
    answer = await ana.send("POST", "/v1/picks", body)

    assert (answer.status_code, slug(answer)) == (400, "malformed")


@pytest.mark.parametrize(("body", "field", "rule"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_rule_is_told_with_its_field(
    ana: Person, nothing_on_a_topic: None, body: bytes, field: str, rule: str
) -> None:
    answer = await ana.send("POST", "/v1/picks", body)

    assert (answer.status_code, slug(answer)) == (422, "invalid")
    errors = answer.json()["errors"]
    assert (field, rule) in {(error["field"], error["rule"]) for error in errors}
    assert len(errors) <= 20
    assert all(error["detail"] for error in errors)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        (b"{}", "body", "value"),
        (b'{"note": null}', "note", "type"),
        (b'{"tags": null}', "tags", "type"),
        (b'{"picked_at": null}', "picked_at", "value"),
        (b'{"thing": {}}', "thing", "unknown_field"),
        (b'{"deleted_at": null}', "deleted_at", "unknown_field"),
    ],
)
async def test_a_change_obeys_the_same_rules(
    ana: Person, nothing_on_a_topic: None, body: bytes, field: str, rule: str
) -> None:
    answer = await ana.send("PATCH", PICK, body, if_match='"1-0"')

    assert answer.status_code == 422
    assert {(error["field"], error["rule"]) for error in answer.json()["errors"]} == {(field, rule)}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": "application/json; charset=latin-1"}, 415),
        ({"content_type": "application/jsonp"}, 415),
        ({"content_type": ""}, 415),
        ({"content_encoding": "gzip"}, 415),
        ({"content_encoding": "br"}, 415),
    ],
)
async def test_other_content_is_not_taken(
    ana: Person, nothing_on_a_topic: None, headers: dict[str, str], status: int
) -> None:
    answer = await ana.send("POST", "/v1/picks", new_pick(), **headers)

    assert (answer.status_code, slug(answer)) == (status, "unsupported-media-type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
async def test_json_may_say_that_it_is_utf_8(ana: Person, content_type: str) -> None:
    answer = await ana.send("POST", "/v1/picks", new_pick(), content_type=content_type)

    assert answer.status_code == 202


async def test_a_body_over_256_kib_is_too_large(ana: Person, nothing_on_a_topic: None) -> None:
    answer = await ana.send("POST", "/v1/picks", pick(note="x" * 256 * 1024))

    assert (answer.status_code, slug(answer)) == (413, "too-large")


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", PICK), ("POST", f"{PICK}/restore"), ("PUT", f"{PICK}/reactions/like")],
)
async def test_a_body_that_nobody_would_read_is_refused(
    ana: Person, nothing_on_a_topic: None, method: str, path: str
) -> None:
    answer = await ana.send(method, path, {"role": "admin"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body")


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("DELETE", "/v1/picks/7", "pick_id"),
        ("GET", "/v1/picks/%00", "pick_id"),
        ("GET", "/v1/picks/%ff", "pick_id"),
        ("PUT", f"{PICK}/reactions/hate", "kind"),
        ("GET", "/v1/things/x", "thing_id"),
        ("GET", "/v1/things", "ref"),
        ("GET", "/v1/things?ref=", "ref"),
        ("GET", "/v1/things?ref=nonsense", "ref"),
        ("GET", "/v1/things?ref=https://a.org/%00", "ref"),
        ("GET", "/v1/accounts/@/picks", "account"),
        ("GET", "/v1/accounts/@a%20b/picks", "account"),
        ("GET", f"/v1/accounts/@{'x' * 65}/picks", "account"),
        ("GET", "/v1/accounts/ana/picks", "account"),
        ("GET", "/v1/feeds/latest?limit=0", "limit"),
        ("GET", "/v1/feeds/latest?limit=101", "limit"),
        ("GET", "/v1/feeds/latest?limit=x", "limit"),
        ("GET", "/v1/feeds/latest?cursor=x", "cursor"),
        ("GET", "/v1/feeds/latest?cursor=" + "A" * 34, "cursor"),
        ("GET", "/v1/feeds/latest?cursor=%C3%A9", "cursor"),
        ("GET", "/v1/feeds/latest?page=2", "page"),
        ("GET", "/v1/commands/x", "command_id"),
        ("GET", f"/v1/commands/{uuid4()}?body=xyz", "body"),
    ],
)
async def test_a_bad_value_in_path_or_query_is_named(
    ana: Person, nothing_on_a_topic: None, method: str, path: str, field: str
) -> None:
    answer = await ana.send(method, path)

    assert (answer.status_code, slug(answer)) == (422, "invalid"), answer.text
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=%FF", "&".join(f"a{n}=1" for n in range(100))])
async def test_a_query_that_can_be_read_two_ways_is_malformed(ana: Person, query: str) -> None:
    answer = await ana.send("GET", f"/v1/feeds/latest?{query}")

    assert (answer.status_code, slug(answer)) == (400, "malformed")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
picks = st.fixed_dictionaries(
    {
        "thing": st.fixed_dictionaries({"ref": st.text() | anything, "kind": anything, "title": anything})
        | anything
    },
    optional=dict.fromkeys(("note", "rating", "tags", "picked_at", "x"), anything),
)


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=picks | anything)
async def test_no_body_is_a_defect_of_ours(ana: Person, body: Any) -> None:
    answer = await ana.send("POST", "/v1/picks", json.dumps(body).encode())

    assert answer.status_code in {202, 400, 422}, answer.text


@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tail=st.text(max_size=60), scheme=st.sampled_from(["https://", "http://", "isbn:", "imdb:", "http://["])
)
async def test_no_reference_is_a_defect_of_ours(ana: Person, scheme: str, tail: str) -> None:
    good = new_pick()
    body = good | {"thing": good["thing"] | {"ref": scheme + tail}}

    answer = await ana.send("POST", "/v1/picks", json.dumps(body).encode())

    assert answer.status_code in {202, 400, 422}, answer.text
