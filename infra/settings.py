"""All configuration of every process: environment variables with the prefix PICKLY_, and secrets as files."""

from functools import cache
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SecretMissingError(RuntimeError):
    """A secret file is not where PICKLY_SECRETS says."""


class Settings(BaseSettings):
    """Where the servers are and how this process behaves. Secrets are files, never variables."""

    model_config = SettingsConfigDict(env_prefix="PICKLY_", frozen=True, populate_by_name=True)

    kafka: str = "127.0.0.1:9092"
    database: str = "postgresql://127.0.0.1:5432/pickly"
    valkey: str = "redis://127.0.0.1:6379/0"
    s3: str = "http://127.0.0.1:8333"
    secrets: Path = Path("/run/secrets")
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8000
    http_host: str = "127.0.0.1"
    http_port: int = 0
    log_level: str = "INFO"
    replication: int = 1
    process: str = "pickly"
    otlp_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("PICKLY_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Where a collector takes OTLP over HTTP, without the path `/v1/traces`; None exports nothing."""
    trace_ratio: float = Field(0.01, ge=0, le=1)
    """Which part of the traces is recorded; errors always are."""
    site: str = "http://127.0.0.1:8000"
    """Where people find Pickly: what links in mails begin with."""
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(25, ge=1, lt=2**16)
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    """`starttls` (mostly port 587) and `tls` (mostly port 465) check the server's certificate."""
    smtp_user: str | None = None
    """Whom to log in as, with the secret `smtp_password`; None logs in as nobody."""
    smtp_from: str = Field("pickly@localhost", pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$")
    """The address that mail comes from; its domain names us to the server and stands in each Message-ID."""
    smtp_seconds: float = Field(10, gt=0, le=10)
    """How long sending one mail may take, all in all."""
    mailbox: Path | None = None
    """Where the local stack's mail server keeps what it takes; None where mail goes out into the world."""

    @model_validator(mode="after")
    def _no_password_in_the_clear(self) -> Self:
        if self.smtp_user is not None and self.smtp_tls == "none":
            raise ValueError(
                "PICKLY_SMTP_USER needs PICKLY_SMTP_TLS=starttls or tls, which hide its password"
            )
        return self

    def secret(self, name: str) -> str:
        """The content of the secret file `name`, without surrounding white space."""
        path = self.secrets / name
        try:
            return path.read_text().strip()
        except OSError as error:
            raise SecretMissingError(f"secret {name}: {path} cannot be read ({error.strerror})") from None

    def dsn(self, role: str) -> str:
        """PostgreSQL's address for one login role, with its password from the secret `pg_<role>`."""
        parts = urlsplit(self.database)
        return f"postgresql://{role}:{self.secret(f'pg_{role}')}@{parts.netloc}{parts.path}"


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
