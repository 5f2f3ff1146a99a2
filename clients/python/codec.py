"""From models to what is sent, and from answers to models, where that is more than one call."""

from uuid import UUID

from pydantic import TypeAdapter

from clients.python.models import Accepted, Command, NewPick, Pick, PickChanges, Written
from clients.python.wire import Answer

After = Written | Command | UUID | None
"""A write of one's own that a read must already show."""

_DONE: TypeAdapter[Pick | Command] = TypeAdapter(Pick | Command)


def command_id_of(write: Written | Command | UUID) -> UUID:
    """The id under which the server knows the write."""
    if isinstance(write, Written):
        return write.command_id
    return write.id if isinstance(write, Command) else write


def json_of(body: NewPick | PickChanges) -> bytes:
    """The request's body: only what was given."""
    return body.model_dump_json(exclude_unset=True).encode()


def written_of(answer: Answer) -> Written:
    """A 202 says where the fate can be read; 200 and 201 hold the pick, if it can be shown."""
    if answer.status == 202:
        told = Accepted.model_validate_json(answer.body)
        return Written(
            command_id=told.command_id,
            location=answer.headers.get("location", f"/v1/commands/{told.command_id}"),
            resource=told.resource,
            status="pending",
            attempts=answer.attempts,
        )
    shown = _DONE.validate_json(answer.body)
    command_id = UUID(answer.headers["pickly-command"])
    return Written(
        command_id=command_id,
        location=f"/v1/commands/{command_id}",
        resource=f"/v1/picks/{shown.id}" if isinstance(shown, Pick) else shown.resource,
        status="done",
        pick=shown.model_copy(update={"etag": answer.headers.get("etag")})
        if isinstance(shown, Pick)
        else None,
        attempts=answer.attempts,
    )
