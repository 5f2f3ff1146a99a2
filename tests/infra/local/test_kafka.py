"""Kafka's start: the AOT cache is used only for what it was made for."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import kafka
from infra.local.jars import locked
from infra.local.parts import Part

NUMBERS = {"kafka": 25_001, "kafka_controller": 25_002}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with a file for every locked jar."""
    for jar in locked():
        jar.path(tmp_path).parent.mkdir(parents=True, exist_ok=True)
        jar.path(tmp_path).write_bytes(b"")
    return tmp_path


@pytest.fixture
def part(cache: Path) -> Part:
    """Kafka over that cache."""
    (cache / "folder").mkdir()
    return kafka.part(cache / "folder", cache / "logs", NUMBERS, cache, lambda _: None)


def _flag(part: Part) -> str:
    return next(argument for argument in part.command() if argument.startswith("-XX:AOT"))


def _after_clean_stop(part: Part) -> None:
    made = Path(_flag(part).removeprefix("-XX:AOTCacheOutput="))
    made.write_bytes(b"cache")
    part.stopped()


def test_the_first_run_makes_the_cache_and_later_ones_use_it(part: Part, cache: Path) -> None:
    assert _flag(part).startswith("-XX:AOTCacheOutput=")
    _after_clean_stop(part)
    (made,) = cache.glob("*.aot")
    assert _flag(part) == f"-XX:AOTCache={made}"


def test_a_run_that_was_killed_leaves_no_cache(part: Part, cache: Path) -> None:
    part.stopped()
    assert not list(cache.glob("*.aot"))
    assert _flag(part).startswith("-XX:AOTCacheOutput=")


@pytest.mark.parametrize(
    "change",
    [
        lambda cache: os.utime(locked()[3].path(cache), (1, 1)),
        lambda cache: locked()[3].path(cache).write_bytes(b"another"),
    ],
)
def test_another_jar_is_another_cache_and_the_outdated_one_goes(
    part: Part, cache: Path, change: Callable[[Path], None]
) -> None:
    _after_clean_stop(part)
    change(cache)
    assert _flag(part).startswith("-XX:AOTCacheOutput=")
    _after_clean_stop(part)
    assert len(list(cache.glob("*.aot"))) == 1


def test_the_class_path_is_a_list_of_jars_and_no_wildcard(part: Part) -> None:
    command = list(part.command())
    class_path = command[command.index("-cp") + 1].split(":")
    assert len(class_path) == 46
    assert all(path.endswith(".jar") for path in class_path)
