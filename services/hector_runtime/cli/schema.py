"""`hector schema`: what an editor needs to help with config files."""

import json

import click

from .documented import Documented, flag
from .running import run


@click.command(
    "schema",
    cls=Documented,
    examples=(
        ("hector schema > hector.schema.json", "For an editor."),
        ("hector schema --compact", "On one line."),
    ),
)
@flag("-c", "--compact", is_flag=True, help="On one line, without spaces.")
def command(compact: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of config files, older spellings included.

    An editor that knows YAML checks and completes hector.yaml with it: put
    `# yaml-language-server: $schema=hector.schema.json` on the file's first line.
    """

    async def work() -> dict[str, object]:
        from hector_runtime.schema import schema

        return schema()

    found = run(work())
    if compact:
        click.echo(json.dumps(found, separators=(",", ":"), ensure_ascii=False))
    else:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
