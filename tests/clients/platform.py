"""The platform of the HTTP contract, in memory, with faults and lies that a test plants."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

Json = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)


def account_of(handle: str) -> str:
    """The account's id, as the platform makes it."""
    return str(uuid5(NAMESPACE_URL, "account " + handle))


def rfc3339(at: datetime) -> str:
    """UTC with Z, as the contract wants it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class Fault:
    """What happens instead of a good answer to the next request of this method and path prefix.

    The first `after` such requests are spared. With `status` that is the answer and the request has no
    effect. Without it the request takes effect, then the connection is cut in the middle of the answer, and
    with `hangs` only when one side has had enough of waiting.
    """

    method: str
    path: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    hangs: bool = False
    after: int = 0


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class RefusedError(Exception):
    """A problem to answer with."""

    def __init__(self, status: int, slug: str, **more: object) -> None:
        self.status = status
        self.body: Json = {"type": f"/problems/{slug}", "title": slug, "status": status, **more}


class Platform:
    """Picks and commands. A pick is visible once its command was asked for often enough."""

    def __init__(self) -> None:
        self.picks: dict[str, Json] = {}
        self.commands: dict[str, Json] = {}
        self.effects: Counter[str] = Counter()
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.refuses: dict[str, str] = {}
        self.polls_until_done = 0
        self.tamper_thing: Callable[[Json], None] | None = None
        self.tamper_list: Callable[[str, list[Json]], list[Json]] | None = None

    def fault_for(self, method: str, path: str) -> Fault | None:
        """The planted fault for this request, taken away."""
        for fault in self.faults:
            is_meant = fault.method == method and path.startswith(fault.path)
            if is_meant and len(self.sent(fault.method, fault.path)) > fault.after:
                self.faults.remove(fault)
                return fault
        return None

    def sent(self, method: str, path: str = "/") -> list[Seen]:
        """The requests of this method and path prefix."""
        return [seen for seen in self.seen if seen.method == method and seen.path.startswith(path)]

    def accept(self, account: str, what: str, key: str | None, body: bytes) -> tuple[Json, bool]:
        """The command of a write, and whether it is new: the same key means the same command."""
        name = str(uuid5(NAMESPACE_URL, f"{account} {what} {key}")) if key else str(uuid4())
        digest = hashlib.sha256(body).hexdigest()[:16]
        if name in self.commands:
            if self.commands[name]["body"] != digest:
                raise RefusedError(422, "key-used-for-another-body")
            return self.commands[name], False
        command = {"id": name, "account": account, "type": what, "body": digest, "polls": 0, "status": "done"}
        self.commands[name] = command
        return command, True

    def publish(self, command: Json, body: Json) -> None:
        """Make the pick, or refuse."""
        ref = body["thing"]["ref"]
        pick_id = str(uuid5(UUID(command["account"]), ref))
        command["resource"] = f"/v1/picks/{pick_id}"
        if ref in self.refuses or pick_id in self.picks:
            command.update(status="refused", reason=self.refuses.get(ref, "already_picked"))
            return
        self.effects[pick_id] += 1
        published = rfc3339(START + timedelta(milliseconds=len(self.picks) // 3))
        self.picks[pick_id] = {
            "id": pick_id,
            "author": {"id": command["account"]},
            "thing": {"id": str(uuid5(NAMESPACE_URL, ref)), **body["thing"]},
            "note": body.get("note", ""),
            "rating": body.get("rating"),
            "tags": body.get("tags", []),
            "picked_at": body.get("picked_at", published),
            "published_at": published,
            "edited_at": None,
            "version": 1,
            "reactions": {},
            "command": command["id"],
            "deleted_at": None,
        }

    def change(self, command: Json, pick_id: str, body: Json, if_match: str | None) -> None:
        """Edit, delete, restore or react, as the command's type says."""
        method, _, path = command["type"].partition(" ")
        pick = self.picks.get(pick_id)
        if pick is None:
            raise RefusedError(404, "no-such-pick")
        if method == "PATCH" and if_match is None:
            raise RefusedError(428, "if-match-missing")
        if if_match is not None and if_match.strip('"').partition("-")[0] != str(pick["version"]):
            raise RefusedError(412, "changed-since")
        command["resource"] = f"/v1/picks/{pick_id}"
        if "/reactions/" in path:
            kind = path.rpartition("/")[2]
            pick["reactions"] = {kind: 1} if method == "PUT" else {}
            return
        deleted_at = rfc3339(START) if method == "DELETE" else None
        pick.update(body, version=pick["version"] + 1, deleted_at=deleted_at)

    def shown(self) -> list[Json]:
        """The picks that everybody sees, oldest first."""
        return [present(pick) for pick in self.picks.values() if self.is_shown(pick)]

    def is_shown(self, pick: Json) -> bool:
        """Whether its command is done and it was not deleted."""
        is_done = self.commands[pick["command"]]["polls"] >= self.polls_until_done
        return is_done and pick["deleted_at"] is None

    def things(self) -> list[Json]:
        """Every thing's page."""
        by_ref: dict[str, list[Json]] = {}
        for pick in self.shown():
            by_ref.setdefault(pick["thing"]["ref"], []).append(pick)
        return [self._thing(picks) for picks in by_ref.values()]

    def _thing(self, picks: list[Json]) -> Json:
        ratings = [pick["rating"] for pick in picks if pick["rating"] is not None]
        thing = {
            **picks[0]["thing"],
            "pick_count": len(picks),
            "rating_count": len(ratings),
            "rating_mean": round(sum(ratings) / len(ratings), 4) if ratings else None,
            "rating_histogram": {f"{half / 2:.1f}": ratings.count(half / 2) for half in range(1, 11)},
        }
        if self.tamper_thing:
            self.tamper_thing(thing)
        return thing


def present(pick: Json) -> Json:
    """A pick without what is not in the contract; only a deleted one has `deleted_at`."""
    hidden = ("command",) if pick["deleted_at"] else ("command", "deleted_at")
    return {name: value for name, value in pick.items() if name not in hidden}
