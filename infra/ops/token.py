"""`python -m infra.ops.token HANDLE` prints an access token of ten minutes for the local stack."""

from typing import Annotated

import typer

from infra.ops.complaints import complaining
from infra.tokens import TokenKeyError, mint


def main(handle: Annotated[str, typer.Argument(help="whom the token speaks for, without the @")]) -> None:
    """Print an access token for HANDLE, valid for ten minutes."""
    with complaining("token", ValueError, TokenKeyError):
        typer.echo(mint(handle.removeprefix("@")))


if __name__ == "__main__":
    typer.run(main)
