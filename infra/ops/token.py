"""`python -m infra.ops.token HANDLE` prints an access token of ten minutes for the local stack."""

from typing import Annotated

import typer

from infra.settings import SecretMissingError
from infra.tokens import TokenKeyError, mint

NO_STACK = "No stack's secrets are configured here. Start one with ./pickly up, or set PICKLY_SECRETS."


def main(handle: Annotated[str, typer.Argument(help="whom the token speaks for, without the @")]) -> None:
    """Print an access token for HANDLE, valid for ten minutes."""
    try:
        typer.echo(mint(handle.removeprefix("@")))
    except SecretMissingError as error:
        typer.echo(f"token: {error}\n{NO_STACK}", err=True)
        raise typer.Exit(1) from None
    except (ValueError, TokenKeyError) as error:
        typer.echo(f"token: {error}", err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
