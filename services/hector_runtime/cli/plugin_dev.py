"""`hector plugin dev`: run a plugin, and anew whenever a file of it is saved."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .documented import Documented, flag
from .running import run

if TYPE_CHECKING:
    from .plugin_here import Here

PATIENCE_S = 6.0
"""How long a plugin may take to end before it is made to."""
LEFT_OUT = ("target", "build", "dist", "node_modules", "__pycache__", "venv")
"""Folders of what is built: to write there is no reason to build."""


@click.command(
    "dev",
    cls=Documented,
    examples=(
        ("hector plugin dev", "The plugin of this folder's plugin.yaml."),
        ("hector plugin dev -- ./my-plugin", "Any program."),
        (
            'HECTOR_PLUGIN_ATTACH="$(hector plugin dev --where)" hector serve',
            "A server that uses it, in another terminal.",
        ),
    ),
)
@click.argument("argv", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@flag("--listen", metavar="ADDRESS", show_default="a socket of its own", help="Where it is to listen.")
@flag("--where", is_flag=True, help="Print NAME=ADDRESS, for HECTOR_PLUGIN_ATTACH, and run nothing.")
def command(argv: tuple[str, ...], listen: str | None, where: bool) -> None:
    """Run the plugin without a host, and start it anew when a file in this folder is saved.

    What builds it, by `build` of plugin.yaml, is done before each start. A server that is told its address
    uses it: HECTOR_PLUGIN_ATTACH=NAME=ADDRESS takes the place of what the config starts under that name.
    """
    from .plugin_here import Here, plugin_here

    said = Here(Path(argv[0]).stem, argv, Path.cwd()) if argv else None
    here = said or plugin_here(Path(), built=False)
    address = listen or address_of(here)
    if where:
        click.echo(f"{here.name}={address}")
        return
    run(_developed(here, address, is_named=bool(argv)))


def address_of(here: "Here") -> str:
    """Return a socket that is the same each time for the same folder and user."""
    import hashlib

    mark = hashlib.sha256(f"{os.getuid()}:{here.folder}".encode()).hexdigest()[:12]
    return f"unix:{Path(tempfile.gettempdir(), f'hector-dev-{mark}', 'plugin.sock')}"


async def _developed(here: "Here", address: str, *, is_named: bool) -> None:
    changes = _changes(here.folder)
    click.echo(f"{here.name} will be at {address}; save a file to start it anew, Ctrl-C to end", err=True)
    click.echo(f"use it: HECTOR_PLUGIN_ATTACH={here.name}={address} hector serve", err=True)
    while True:
        if await _built(here):
            async with _running(here, address, is_named=is_named) as process:
                ended = asyncio.ensure_future(process.wait())
                changed = asyncio.ensure_future(anext(changes))
                await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    click.echo(f"it ended with {ended.result()}; waiting for a change", err=True)
                ended.cancel()
                files = await changed
        else:
            click.echo("it could not be built; waiting for a change", err=True)
            files = await anext(changes)
        click.echo(f"changed: {', '.join(sorted(files)[:3])}", err=True)


async def _changes(folder: Path) -> AsyncIterator[set[str]]:
    """Give the names of files that were saved, once they are all there."""
    from watchfiles import DefaultFilter, awatch

    class Sources(DefaultFilter):
        ignore_dirs = (*DefaultFilter.ignore_dirs, *LEFT_OUT)

    async for changes in awatch(folder, watch_filter=Sources(), debounce=200):
        yield {Path(path).name for _, path in changes}


async def _built(here: "Here") -> bool:
    for line in here.build:
        began = time.monotonic()
        # As the author wrote it: a line for the shell, in the author's own folder.
        process = await asyncio.create_subprocess_shell(line, cwd=here.folder)
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        click.echo(f"{line}: {time.monotonic() - began:.1f} s", err=True)
        if code:
            return False
    return True


@asynccontextmanager
async def _running(
    here: "Here", address: str, *, is_named: bool
) -> AsyncIterator[asyncio.subprocess.Process]:
    from .plugin_here import plugin_here

    command = here.command if is_named else plugin_here(here.folder).command
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).parent.mkdir(mode=0o700, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *command, "--standalone", address, cwd=here.folder, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
