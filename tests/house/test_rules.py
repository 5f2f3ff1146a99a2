"""The tree keeps every house rule, and every rule is seen to fail on a planted violation."""

import pytest

from tests.house.planted import BREAKS, KEEPS
from tests.house.rules import RULES
from tests.house.source import File, Violation, files


def violations(rule: str, *looked_at: File) -> list[Violation]:
    """What a rule says about these files."""
    return [violation for file in looked_at for violation in RULES[rule](file)]


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_keeps_the_rule(rule: str) -> None:
    found = violations(rule, *files())

    assert not found, f"{RULES[rule].__doc__}\n" + "\n".join(map(str, found))


@pytest.mark.parametrize(
    ("rule", "file"), [(rule, file) for rule, planted in BREAKS.items() for file in planted]
)
def test_a_planted_violation_is_found(rule: str, file: File) -> None:
    found = violations(rule, file)

    assert found, f"{rule} misses:\n{file.text}"
    assert all(1 <= violation.line <= len(file.lines) for violation in found)


@pytest.mark.parametrize(("rule", "file"), [(rule, file) for rule, kept in KEEPS.items() for file in kept])
def test_what_only_looks_like_a_violation_passes(rule: str, file: File) -> None:
    assert not violations(rule, file)


def test_every_rule_has_a_planted_violation_a_counterexample_and_a_sentence() -> None:
    assert set(BREAKS) == set(KEEPS) == set(RULES)
    assert all(rule.__doc__ for rule in RULES.values())


def test_the_rules_look_at_new_files_too() -> None:
    paths = {file.path for file in files()}

    assert {"schemas/topics.py", "infra/settings.py", "pyproject.toml", "tests/house/test_rules.py"} <= paths
    assert not [path for path in paths if path.startswith(".pickly/")]
