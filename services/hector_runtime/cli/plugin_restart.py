"""`hector plugin restart`: end the processes of a plugin, and start others."""

import json
from typing import Any

import click

from .documented import Documented
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .running import run


@click.command(
    "restart",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector plugin restart search", "One that was given up after too many crashes, once it is mended."),
    ),
)
@click.argument("name", metavar="PLUGIN")
@format_option("text", "json")
@server_options
def command(name: str, form: str, **options: Any) -> None:
    """End a plugin's processes and start others.

    Calls that come meanwhile wait for it. A plugin that was given up is tried again, its crashes forgotten.
    """
    found = run(_done(source_of(options), name))
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        click.echo(f"{name} was started again: {found['state']}, generation {found['generation']}")


async def _done(source: Source, name: str) -> dict[str, Any]:
    from urllib.parse import quote

    from .server import client

    async with client(source) as server:
        found: dict[str, Any] = await server.page(
            f"/admin/plugins/{quote(name, safe='')}/restart", verb="POST"
        )
        return found
