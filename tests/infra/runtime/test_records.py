"""Decoding: what a record must be, and which reason a bad one gets. Nothing else may be raised."""

from collections.abc import Sequence
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.runtime.decoding import UnknownTypeError, decode
from infra.runtime.records import Dead, Incoming, Passed, Record
from schemas.message import Tick
from schemas.topics import MAX_BODY
from tests.infra.runtime.widgets import OWNER, Tape, contract, decider, projection

C = contract("records", partitions=1)
DECIDER, PROJECTION = decider(C), projection(C)
ID = ("ce_id", str(uuid4()).encode())
PUT = ("ce_type", b"Put")
BODY = C.Put(key_="a", owner=OWNER, value="1").body()


def record(key: bytes | None, value: bytes | None, *headers: tuple[str, bytes]) -> Record:
    return Tape.of(C.commands).raw(key, value, headers, 0)


def test_a_command_is_read_with_its_envelope() -> None:
    raw = Tape.of(C.commands).add(C.Put(key_="a", owner=OWNER, value="1"), expected_version=7)
    decoded = decode(raw, DECIDER)
    assert isinstance(decoded, Incoming)
    assert decoded.message == C.Put(key_="a", owner=OWNER, value="1")
    assert (decoded.meta.actor, decoded.meta.expected_version, decoded.meta.at) == (OWNER, 7, raw.at)


def test_a_state_takes_its_version_from_the_header_and_a_tombstone_its_fields_from_the_key() -> None:
    tape = Tape.of(C.events)
    state = decode(tape.add(C.Widget(key_="a", value="1", version=3)), PROJECTION)
    gone = decode(tape.add(C.WidgetGone(key_="a", version=4)), PROJECTION)
    assert isinstance(state, Incoming)
    assert isinstance(gone, Incoming)
    assert state.message == C.Widget(key_="a", value="1", version=3)
    assert gone.message == C.WidgetGone(key_="a", version=4)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (record(b"a", BODY, ID, PUT, ("x", b"\xff")), "undecodable_headers"),
        (record(b"a", BODY, ID, PUT, ("x", b"\x00")), "undecodable_headers"),
        (record(b"\xff", BODY, ID, PUT), "undecodable_key"),
        (record(b"\x00", BODY, ID, PUT), "undecodable_key"),
        (record(b"a", BODY, ID), "no_type"),
        (record(b"a", BODY, ID, ("ce_type", b"")), "no_type"),
        (record(b"a", BODY, PUT), "bad_envelope"),
        (record(b"a", BODY, ("ce_id", b"7"), PUT), "bad_envelope"),
        (record(b"a", BODY, ID, PUT, ("ce_expectedversion", b"x")), "bad_envelope"),
        (record(None, BODY, ID, PUT), "no_key"),
        (record(b"a", None, ID, PUT), "invalid_body"),
        (record(b"a", b"", ID, PUT), "invalid_body"),
        (record(b"a", b"[]", ID, PUT), "invalid_body"),
        (record(b"a", b'{"key_":"a"}', ID, PUT), "invalid_body"),
        (record(b"a", b"{" * 1000, ID, PUT), "invalid_body"),
        (record(b"a", b"\xff\xfe", ID, PUT), "invalid_body"),
        (record(b"b", BODY, ID, PUT), "wrong_key"),
        (record(b"a", b" " * (MAX_BODY + 1), ID, PUT), "oversize"),
    ],
)
def test_a_bad_command_is_dead_with_its_reason(raw: Record, reason: str) -> None:
    decoded = decode(raw, DECIDER)
    assert isinstance(decoded, Dead)
    assert decoded.reason == reason


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        ([ID, ("ce_type", b"Widget")], b'{"key_":"a","value":"1"}', "no_sequence"),
        ([ID, ("ce_type", b"Widget"), ("ce_sequence", b"0")], b'{"key_":"a","value":"1"}', "invalid_body"),
        ([ID, ("ce_type", b"WidgetGone"), ("ce_sequence", b"1")], b"{}", "invalid_body"),
    ],
)
def test_a_bad_state_is_dead_with_its_reason(
    headers: Sequence[tuple[str, bytes]], value: bytes, reason: str
) -> None:
    decoded = decode(Tape.of(C.events).raw(b"a", value, headers, 0), PROJECTION)
    assert isinstance(decoded, Dead)
    assert decoded.reason == reason


def test_an_error_text_never_holds_the_input() -> None:
    decoded = decode(record(b"a", b'{"key_":"a","owner":"hunter2-secret"}', ID, PUT), DECIDER)
    assert isinstance(decoded, Dead)
    assert "hunter2" not in decoded.error


def test_a_well_formed_but_unknown_type_is_not_skipped() -> None:
    with pytest.raises(UnknownTypeError):
        decode(record(b"a", BODY, ID, ("ce_type", b"PutV2")), DECIDER)


def test_heartbeats_and_ticks_nobody_takes_are_passed() -> None:
    heartbeat = record(b"tick/0", b"", ID, ("ce_type", b"Heartbeat"))
    tick = record(b"tick/0", b"{}", ID, ("ce_type", b"Tick"))
    assert isinstance(decode(heartbeat, PROJECTION), Passed)
    assert isinstance(decode(tick, DECIDER), Passed)


def test_an_unknown_field_is_ignored() -> None:
    body = BODY[:-1] + b',"added_next_year":1}'
    decoded = decode(record(b"a", body, ID, PUT), DECIDER)
    assert isinstance(decoded, Incoming)
    assert not isinstance(decoded.message, Tick)


HEADER = st.tuples(
    st.sampled_from(["ce_id", "ce_type", "ce_sequence", "ce_actor", "x"]), st.binary(max_size=40)
)


@given(
    st.none() | st.binary(max_size=20),
    st.none() | st.binary(max_size=200) | st.just(BODY),
    st.lists(HEADER | st.just(ID) | st.just(PUT), max_size=6),
)
def test_no_bytes_raise_anything_but_unknown_type(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    try:
        decoded = decode(record(key, value, *headers), DECIDER)
    except UnknownTypeError:
        return
    assert isinstance(decoded, Dead | Passed | Incoming)
