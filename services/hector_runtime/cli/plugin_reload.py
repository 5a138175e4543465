"""`hector plugin reload`: put new processes of a plugin in the place of the old ones."""

import json
from typing import Any

import click

from .documented import Documented
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .running import run


@click.command(
    "reload",
    cls=Documented,
    exits=ASKING,
    examples=(("hector plugin reload search", "After a new build: not one call fails."),),
)
@click.argument("name", metavar="PLUGIN")
@format_option("text", "json")
@server_options
def command(name: str, form: str, **options: Any) -> None:
    """Replace a plugin's processes by new ones, without a failed call.

    The new one is started, configured and made ready beside the old one; then calls go to it, and the old
    one ends when it has answered what it was asked. If the new one is no good the old one stays, and the
    reason is told.
    """
    found = run(_done(source_of(options), name))
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        click.echo(f"{name} is replaced: {found['state']}, generation {found['generation']}")


async def _done(source: Source, name: str) -> dict[str, Any]:
    from urllib.parse import quote

    from .server import client

    async with client(source) as server:
        found: dict[str, Any] = await server.page(
            f"/admin/plugins/{quote(name, safe='')}/reload", verb="POST"
        )
        return found
