"""What people ask for: a command, and the same as an HTTP request; whichever way it goes, it has one id."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final
from uuid import UUID, uuid4

from gateway.idempotency import Identity, identify
from schemas import ids
from schemas.envelope import Meta
from schemas.message import Command
from schemas.picks import DeletePick, EditPick, PickCommand, PublishPick, RestorePick
from schemas.reactions import React, Unreact
from schemas.things import NewThing
from tests.chaos.people import Person

PICK: Final = "/v1/picks/{pick_id}"
REACTION: Final = "/v1/picks/{pick_id}/reactions/{kind}"


@dataclass(frozen=True)
class Wish:
    """One command of a person, the `seq`-th of its key."""

    person: Person
    command: Command
    seq: int
    method: str
    template: str
    values: tuple[str, ...] = ()
    body: bytes | None = None
    if_match: str | None = None
    idempotency_key: str = ""

    @property
    def path(self) -> str:
        """Where the request goes."""
        names = ("pick_id", "kind")[: len(self.values)]
        return self.template.format(**dict(zip(names, self.values, strict=True)))

    @cached_property
    def identity(self) -> Identity:
        """The command's id and body hash, as the gateway derives them."""
        if_match = None if self.if_match is None else self.if_match.encode()
        route = (self.method, self.template, *self.values)
        return identify(self.person.id, route, self.idempotency_key.encode(), self.body or b"", if_match)

    @property
    def id(self) -> UUID:
        """The command's id."""
        return self.identity.command_id

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers, token and Prefer apart."""
        match = {} if self.if_match is None else {"if-match": self.if_match}
        return {"idempotency-key": self.idempotency_key, **match}

    def meta(self) -> Meta:
        """The envelope that the gateway would give it."""
        expected = (self.if_match or "*").strip('"').partition("-")[0]
        return Meta(
            id=self.id,
            type=type(self.command).__name__,
            at=datetime.now(UTC),
            subject=self.command.about,
            source="pickly/gateway",
            actor=self.person.id,
            correlation=self.id,
            expected_version=int(expected) if expected.isdigit() else None,
            body_hash=self.identity.body_hash,
        )

    def body_hash(self, via: str) -> str:
        """SHA-256 of what is sent that way."""
        sent = self.command.body() if via == "topic" else self.body or b""
        return hashlib.sha256(sent).hexdigest()


def publish(person: Person, seq: int, thing: NewThing, note: str) -> Wish:
    """Publish a pick of a thing."""
    thing_id = ids.thing_id(thing.ref)
    command = PublishPick(
        pick_id=ids.pick_id(person.id, thing_id),
        author_id=person.id,
        thing_id=thing_id,
        thing=thing,
        note=note,
    )
    body = json.dumps({"thing": thing.model_dump(), "note": note}).encode()
    return Wish(person, command, seq, "POST", "/v1/picks", body=body, idempotency_key=_key())


def edit(person: Person, seq: int, pick_id: UUID, note: str, if_match: str) -> Wish:
    """Change a pick's note, if it still has the version of `if_match`; `*` for any."""
    command = EditPick(pick_id=pick_id, author_id=person.id, note=note)
    body = json.dumps({"note": note}).encode()
    return Wish(person, command, seq, "PATCH", PICK, (str(pick_id),), body, if_match, _key())


def delete(person: Person, seq: int, pick_id: UUID, if_match: str | None = None) -> Wish:
    """Delete a pick."""
    return _bare(DeletePick(pick_id=pick_id, author_id=person.id), person, seq, "DELETE", PICK, if_match)


def restore(person: Person, seq: int, pick_id: UUID) -> Wish:
    """Restore a pick."""
    command = RestorePick(pick_id=pick_id, author_id=person.id)
    return _bare(command, person, seq, "POST", f"{PICK}/restore")


def _bare(
    command: PickCommand, person: Person, seq: int, method: str, template: str, if_match: str | None = None
) -> Wish:
    values = (str(command.pick_id),)
    return Wish(person, command, seq, method, template, values, if_match=if_match, idempotency_key=_key())


def reaction(command: React | Unreact, person: Person, seq: int) -> Wish:
    """React, or take it back."""
    method = "PUT" if isinstance(command, React) else "DELETE"
    values = (str(command.pick_id), command.kind)
    return Wish(person, command, seq, method, REACTION, values, idempotency_key=_key())


def _key() -> str:
    return str(uuid4())
