"""Kafka's jars are those of the lock or none."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import jars
from infra.local.errors import StackError
from infra.local.jars import Jar

GENUINE = b"a real jar"
FORGED = b"something else"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of two jars that share their content."""
    sha = hashlib.sha256(GENUINE).hexdigest()
    file = tmp_path / "jars.txt"
    file.write_text(f"# a lock\norg.one:first:1.0 {sha}\norg.two:second:2.0 {sha}\n")
    return file


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without a Maven cache."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _server(content: bytes) -> tuple[Callable[[Jar, Path], None], list[str]]:
    """A download that serves this content, and the list of what was asked of it."""
    asked: list[str] = []

    def download(jar: Jar, cache: Path) -> None:
        asked.append(jar.artifact)
        jar.path(cache).parent.mkdir(parents=True, exist_ok=True)
        jar.path(cache).write_bytes(content)

    return download, asked


def _silent(_: str) -> None:
    pass


def test_missing_jars_are_fetched_once_and_the_class_path_is_in_the_order_of_the_lock(
    lock: Path, tmp_path: Path
) -> None:
    download, asked = _server(GENUINE)
    said: list[str] = []
    for _ in range(2):
        class_path = jars.ensure(tmp_path / "cache", said.append, lock, download)
    assert [path.name for path in class_path] == ["first-1.0.jar", "second-2.0.jar"]
    assert sorted(asked) == ["first", "second"]
    assert "2 of 2" in said[-1]


def test_a_jar_with_another_hash_is_refused_and_removed(lock: Path, tmp_path: Path) -> None:
    download, _ = _server(FORGED)
    with pytest.raises(StackError) as caught:
        jars.ensure(tmp_path / "cache", _silent, lock, download)
    assert "was refused" in str(caught.value)
    assert hashlib.sha256(FORGED).hexdigest() in str(caught.value)
    assert hashlib.sha256(GENUINE).hexdigest() in str(caught.value)
    assert not list((tmp_path / "cache").rglob("first-1.0.jar"))


def test_a_jar_damaged_in_the_cache_is_fetched_again(lock: Path, tmp_path: Path) -> None:
    download, asked = _server(GENUINE)
    first, _ = jars.ensure(tmp_path / "cache", _silent, lock, download)
    first.write_bytes(FORGED)
    jars.ensure(tmp_path / "cache", _silent, lock, download)
    assert first.read_bytes() == GENUINE
    assert sorted(asked) == ["first", "first", "second"]


@pytest.mark.parametrize(("content", "downloads"), [(GENUINE, 1), (FORGED, 2)])
def test_the_users_maven_cache_is_used_when_it_is_genuine(
    lock: Path, tmp_path: Path, home: Path, content: bytes, downloads: int
) -> None:
    at_home = jars.locked(lock)[0].path(home / ".m2/repository")
    at_home.parent.mkdir(parents=True)
    at_home.write_bytes(content)
    download, asked = _server(GENUINE)
    class_path = jars.ensure(tmp_path / "cache", _silent, lock, download)
    assert len(asked) == downloads
    assert all(path.read_bytes() == GENUINE for path in class_path)


def test_without_a_network_the_error_says_what_to_do(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(StackError, match="needs the network"):
        jars.ensure(tmp_path / "cache", _silent, lock)


def test_our_lock_names_kafka_and_a_hash_for_every_jar() -> None:
    locked = jars.locked()
    assert ("org.apache.kafka", "kafka_2.13", "4.3.1") in [(j.group, j.artifact, j.version) for j in locked]
    assert len(locked) == 46
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in locked)
