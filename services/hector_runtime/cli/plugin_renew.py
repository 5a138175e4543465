"""`hector plugin reload` and `restart`: other processes in the place of those that run."""

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
def reload(name: str, form: str, **options: Any) -> None:
    """Replace a plugin's processes by new ones, without a failed call.

    The new one is started, configured and made ready beside the old one; then calls go to it, and the old
    one ends when it has answered what it was asked. If the new one is no good the old one stays, and the
    reason is told.
    """
    _tell(run(_ordered(source_of(options), name, "reload")), form, f"{name} is replaced")


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
def restart(name: str, form: str, **options: Any) -> None:
    """End a plugin's processes and start others.

    Calls that come meanwhile wait for it. A plugin that was given up is tried again, its crashes forgotten.
    """
    _tell(run(_ordered(source_of(options), name, "restart")), form, f"{name} was started again")


async def _ordered(source: Source, name: str, order: str) -> dict[str, Any]:
    from urllib.parse import quote

    from .server import client

    async with client(source) as server:
        found: dict[str, Any] = await server.page(
            f"/admin/plugins/{quote(name, safe='')}/{order}", verb="POST"
        )
        return found


def _tell(found: dict[str, Any], form: str, done: str) -> None:
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        click.echo(f"{done}: {found['state']}, generation {found['generation']}")
