"""How a word of ops tells its user that it could not do what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from infra.settings import SecretMissingError

NO_STACK: Final = "No stack's secrets are configured here. Start one with ./pickly up, or set PICKLY_SECRETS."


@contextmanager
def complaining(tool: str, *expected: type[Exception]) -> Iterator[None]:
    """Say `tool: what went wrong` on stderr and exit with 1: for missing secrets, and what is `expected`."""
    try:
        yield
    except SecretMissingError as error:
        typer.echo(f"{tool}: {error}\n{NO_STACK}", err=True)
        raise typer.Exit(1) from None
    except expected as error:
        typer.echo(f"{tool}: {error}", err=True)
        raise typer.Exit(1) from None
