"""Writes what is generated from the contract: `docs/topics.md`, `docs/asyncapi.yaml`, and frozen releases.

`python -m infra.ops.docs [--check]`; `python -m infra.ops.docs release 0.1.0`.
"""

import json
import re
import shutil
from pathlib import Path
from typing import Annotated, Final

import typer
import yaml

from infra.ops.compatibility import RELEASED, wire_type
from infra.ops.docs_asyncapi import asyncapi
from infra.ops.docs_topics import topic_map
from infra.ops.examples import FOLDER, catalogue, examples

DOCS: Final = Path(__file__).parents[2] / "docs"
VERSION: Final = re.compile(r"\d+\.\d+\.\d+")

app = typer.Typer(help=__doc__, add_completion=False)


class ContractError(RuntimeError):
    """The contract on disk is not complete; the text says what is missing."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        """Say everything where it belongs."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def generated() -> dict[str, str]:
    """The text of each generated file, by its name below `docs/`. Raises ContractError."""
    missing = sorted(catalogue().keys() - examples().keys())
    if missing:
        raise ContractError(f"no example of {', '.join(missing)}: write schemas/examples/<type>.json")
    document = yaml.dump(asyncapi(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    note = "# Generated from schemas/ by `python -m infra.ops.docs`; change it there.\n"
    return {"topics.md": topic_map(), "asyncapi.yaml": note + document}


def stale(folder: Path = DOCS) -> list[str]:
    """The generated files in `folder` that are missing or differ from the contract."""
    return [
        name
        for name, text in generated().items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]


def release(version: str, folder: Path = RELEASED) -> Path:
    """Freeze the types and examples of this code as `version`. Raises ContractError for one that exists."""
    target = folder / version
    if not VERSION.fullmatch(version):
        raise ContractError(f"{version} is no version like 0.1.0")
    if target.exists():
        raise ContractError(f"{version} is released already, and what is released never changes")
    generated()
    (target / "types").mkdir(parents=True)
    for name, kind in catalogue().items():
        text = json.dumps(wire_type(kind), indent=2, ensure_ascii=False, sort_keys=True)
        (target / "types" / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    shutil.copytree(FOLDER, target / "examples")
    return target


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Only say what is stale; exit code 1 then.")] = False,
) -> None:
    """Write docs/topics.md and docs/asyncapi.yaml from the contract."""
    if context.invoked_subcommand:
        return
    try:
        names = stale()
    except ContractError as error:
        _fail(str(error))
    if check and names:
        _fail(f"stale: {', '.join(f'docs/{name}' for name in names)}; run python -m infra.ops.docs")
    for name in names:
        (DOCS / name).write_text(generated()[name], encoding="utf-8")
        typer.echo(f"wrote docs/{name}")


@app.command("release")
def release_command(version: str) -> None:
    """Freeze the contract of this release; every later one is compared with it."""
    try:
        target = release(version)
    except ContractError as error:
        _fail(str(error))
    typer.echo(f"wrote {target.relative_to(RELEASED.parents[1])}")


def _fail(text: str) -> None:
    typer.echo(f"docs: {text}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
