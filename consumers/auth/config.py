"""What identity can be told from outside: environment variables PICKLY_AUTH_*."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _words(value: object) -> object:
    """A list in a variable is separated by commas."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


class AuthSettings(BaseSettings):
    """How passwords are checked and what a hash costs; the defaults of argon2id are OWASP's least."""

    model_config = SettingsConfigDict(env_prefix="PICKLY_AUTH_", frozen=True)

    breached: Path | None = None
    """A text file of passwords to refuse: one a line, or sorted `SHA1:count` lines as HIBP gives them."""
    argon2_memory: int = Field(19 * 1024, ge=8)
    """KiB that one evaluation fills."""
    argon2_passes: int = Field(2, ge=1)
    argon2_lanes: int = Field(1, ge=1)
    argon2_threads: int = Field(os.cpu_count() or 1, ge=1)
    """Evaluations that run at once in one process."""
    passkey_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Addresses where passkeys may be used, separated by commas; PICKLY_SITE alone when there are none."""
