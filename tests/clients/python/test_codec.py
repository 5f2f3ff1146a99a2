"""Answers to writes that need more than one look."""

from uuid import UUID

import httpx

from clients.python.codec import written_of
from clients.python.wire import Answer

COMMAND_ID = UUID("019ac8a2-5c3e-7d10-9b5e-0e6f1d2c3b4a")


def test_a_write_that_is_done_and_has_nothing_to_show_is_done() -> None:
    body = b'{"id":"%b","type":"DeletePick","status":"done","resource":null}' % str(COMMAND_ID).encode()

    written = written_of(Answer(200, httpx.Headers({"pickly-command": str(COMMAND_ID)}), body, 1))

    assert (written.status, written.pick, written.resource) == ("done", None, None)
    assert (written.command_id, written.location) == (COMMAND_ID, f"/v1/commands/{COMMAND_ID}")


def test_an_accepted_write_without_a_location_has_that_of_its_command() -> None:
    body = b'{"command_id":"%b","resource":null,"status":"pending","new":1}' % str(COMMAND_ID).encode()

    written = written_of(Answer(202, httpx.Headers(), body, 2))

    assert (written.status, written.location) == ("pending", f"/v1/commands/{COMMAND_ID}")
    assert written.attempts == 2
