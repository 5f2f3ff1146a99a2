"""Identity's settings come from the environment, and what cannot work is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from consumers.auth.config import AuthSettings


def test_settings_are_variables_with_the_prefix_of_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKLY_AUTH_BREACHED", "leaks/sorted.txt")
    monkeypatch.setenv("PICKLY_AUTH_ARGON2_MEMORY", "65536")
    settings = AuthSettings()

    assert settings.breached == Path("leaks/sorted.txt")
    assert settings.argon2_memory == 65_536


@pytest.mark.parametrize("name", ["argon2_memory", "argon2_passes", "argon2_lanes", "argon2_threads"])
def test_nothing_costs_nothing(name: str) -> None:
    with pytest.raises(ValidationError):
        AuthSettings.model_validate({name: 0})
