"""Nothing is declared and then forgotten: messages have examples, handlers and routes, groups their topics.

Each check is a function over what it is given, so that it is also seen to fail on something planted.
"""

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import schemas
from consumers.registry import ALL
from infra.roles import DECIDERS, PROJECTIONS
from infra.runtime.group import Group
from infra.runtime.projection import Projection
from schemas.message import Command, Message
from schemas.picks import PublishPick
from schemas.things import ThingAdded
from schemas.topics import PICK_EVENTS, THING_EVENTS, TOPICS, Topic
from tests.house.source import ROOT

for module in pkgutil.iter_modules(schemas.__path__):
    importlib.import_module(f"schemas.{module.name}")

COMMANDS: Final = {name: kind for name, kind in Message.catalogue.items() if issubclass(kind, Command)}
ROUTES: Final = [path.read_text() for path in (ROOT / "gateway/routes").rglob("*.py")]
EXAMPLES: Final = [path.stem for path in (ROOT / "schemas/examples").glob("*.json")]


def without_example(names: Iterable[str], examples: Iterable[str]) -> set[str]:
    """Types that have no `schemas/examples/<Type>.json`."""
    return set(names) - set(examples)


def unhandled(kinds: Mapping[str, type[Message]], groups: Mapping[str, Group]) -> set[str]:
    """`<group>: <Type>` for every type on a topic of a group that it neither handles nor ignores."""
    return {
        f"{group.name}: {name}"
        for group in groups.values()
        for name, kind in kinds.items()
        if kind.topic.name in group.topics and name not in group.handlers and name not in group.ignores
    }


def without_reader(kinds: Mapping[str, type[Message]], groups: Mapping[str, Group]) -> set[str]:
    """Types on a topic that no group reads."""
    read = {topic for group in groups.values() for topic in group.topics}
    return {name for name, kind in kinds.items() if kind.topic.name not in read}


def without_route(names: Iterable[str], routes: Iterable[str]) -> set[str]:
    """Commands that no function declared with `@....command(...)` returns."""
    returned = {
        name for text in routes for function in _command_routes(text) for name in _names(function.returns)
    }
    return set(names) - returned


def wrong_topics(groups: Mapping[str, Group], topics: Iterable[Topic]) -> dict[str, set[str]]:
    """Group -> the topics on which its app and the declaration of readers differ."""
    declared: dict[str, set[str]] = {}
    for topic in topics:
        for reader in topic.readers:
            declared.setdefault(reader, set()).add(topic.name)
    names = declared.keys() | groups.keys()
    read = {name: set(groups[name].topics) if name in groups else set() for name in names}
    return {name: difference for name in names if (difference := read[name] ^ declared.get(name, set()))}


def _command_routes(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [d.func for d in node.decorator_list if isinstance(d, ast.Call)]
            if any(isinstance(call, ast.Attribute) and call.attr in ("command", "sealed") for call in calls):
                yield node


def _names(annotation: ast.expr | None) -> set[str]:
    return {n.id for n in ast.walk(annotation) if isinstance(n, ast.Name)} if annotation else set()


def test_every_type_has_an_example_and_every_example_a_type() -> None:
    assert not without_example(Message.catalogue, EXAMPLES)
    assert not set(EXAMPLES) - set(Message.catalogue)


def test_every_type_has_a_group_and_every_group_handles_or_ignores_every_type_of_its_topics() -> None:
    assert not without_reader(Message.catalogue, ALL)
    assert not unhandled(Message.catalogue, ALL)


def test_every_command_has_a_route() -> None:
    assert COMMANDS
    assert not without_route(COMMANDS, ROUTES)


def test_every_group_reads_the_topics_that_declare_it() -> None:
    assert not wrong_topics(ALL, TOPICS.values())


def test_every_group_is_in_the_registry_under_its_name() -> None:
    assert sorted({group.schema for group in ALL.values()}) == sorted(DECIDERS + PROJECTIONS)
    assert all(name == group.name for name, group in ALL.items())
    assert {n for n, group in ALL.items() if n != group.schema} == {"auth_refresh"}  # the one second decider


def test_commands_wait_for_read_models_that_exist() -> None:
    assert not {
        name: kind.done_when for name, kind in COMMANDS.items() if set(kind.done_when) - set(PROJECTIONS)
    }


def test_every_group_has_its_folder_and_its_migrations() -> None:
    for name in (group.schema for group in ALL.values()):
        folder = f"projections/{name.removeprefix('read_')}" if name in PROJECTIONS else name
        assert (ROOT / "consumers" / folder / "app.py").is_file()
        assert list((ROOT / "infra/migrations" / name).glob("*.sql")), name


def test_a_forgotten_example_is_seen() -> None:
    assert without_example(["PublishPick"], ["EditPick"]) == {"PublishPick"}


def test_a_forgotten_handler_is_seen() -> None:
    planted: dict[str, Group] = {"read_planted": Projection("planted", THING_EVENTS)}

    assert unhandled({"ThingAdded": ThingAdded, "PublishPick": PublishPick}, planted) == {
        "read_planted: ThingAdded"
    }
    assert without_reader({"ThingAdded": ThingAdded, "PublishPick": PublishPick}, planted) == {"PublishPick"}

    ignoring: dict[str, Group] = {"read_planted": Projection("planted", THING_EVENTS, ignores=(ThingAdded,))}
    assert not unhandled({"ThingAdded": ThingAdded}, ignoring)


def test_a_forgotten_route_is_seen() -> None:
    route = (
        "@picks.command('POST', '/v1/picks', may='x')\ndef publish(pick: NewPick, caller: Call) -> {}: ..."
    )

    assert without_route(["PublishPick"], [route.format("EditPick")]) == {"PublishPick"}
    assert without_route(["PublishPick"], [route.format("PublishPick").replace(".command", ".get")]) == {
        "PublishPick"
    }
    assert not without_route(["PublishPick"], [route.format("PublishPick")])


def test_a_topic_that_only_one_side_knows_is_seen() -> None:
    planted: dict[str, Group] = {"read_picks": Projection("picks", PICK_EVENTS)}
    declared = [replace(THING_EVENTS, readers=("read_picks", "read_things"))]

    assert wrong_topics(planted, declared) == {
        "read_picks": {"pick.events", "thing.events"},
        "read_things": {"thing.events"},
    }
