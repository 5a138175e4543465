"""`hector plugin dev`: run a plugin, and anew whenever a file of it is saved."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .dev_edits import LEFT_OUT, Edits, built_in
from .documented import Documented, flag
from .running import run

if TYPE_CHECKING:
    from .plugin_here import Here

PATIENCE_S = 6.0
"""How long a plugin may take to end before it is made to."""
BUILDS_IN_A_ROW = 3
"""How often it is built for what changed while it was built, before that is taken for the build's own."""


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

    What builds it, by `build` of plugin.yaml, is done before each start. What .gitignore leaves out is no
    reason to, nor are hidden files, lock files, databases and the built program. A server that is told its
    address uses it: HECTOR_PLUGIN_ATTACH=NAME=ADDRESS takes the place of what the config starts under that
    name.
    """
    from .plugin_here import Here, plugin_here

    said = Here(Path(argv[0]).stem, argv, Path.cwd()) if argv else None
    here = said or plugin_here(Path(), built=False)
    address = listen or address_of(here)
    if where:
        click.echo(f"{here.name}={address}")
        return
    run(developed(here, address, is_named=bool(argv)))


def address_of(here: "Here") -> str:
    """Return a socket that is the same each time for the same folder and user."""
    import hashlib

    mark = hashlib.sha256(f"{os.getuid()}:{here.folder}".encode()).hexdigest()[:12]
    return f"unix:{Path(tempfile.gettempdir(), f'hector-dev-{mark}', 'plugin.sock')}"


async def developed(here: "Here", address: str, *, is_named: bool) -> None:
    """Build a plugin and run it, anew for each edit, until this is cancelled.

    Args:
        here: The plugin.
        address: Where it is to listen.
        is_named: Whether its command was named, and is not the manifest's.
    """
    changes = _changes(here.folder)
    woken: asyncio.Future[Any] = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)  # so that the watcher stands before the sources are looked at
    edits = Edits(here.folder)
    click.echo(f"{here.name} will be at {address}; save a file to start it anew, Ctrl-C to end", err=True)
    click.echo(f"use it: HECTOR_PLUGIN_ATTACH={here.name}={address} hector serve", err=True)
    try:
        while True:
            command = _command(here, is_named=is_named) if await _built_with_edits(here, edits) else ()
            if not command:
                click.echo("it could not be built; waiting for a change", err=True)
            running = _running(command, here.folder, address) if command else nullcontext()
            async with running as process:
                ended = asyncio.ensure_future(process.wait()) if process else None
                try:
                    while not (files := edits.since()):
                        waited = {woken} if ended is None else {woken, ended}
                        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                        if woken.done():
                            woken.result()
                            woken = asyncio.ensure_future(anext(changes))
                        if ended is not None and ended.done():
                            click.echo(f"it ended with {ended.result()}; waiting for a change", err=True)
                            ended = None
                finally:
                    if ended is not None:
                        ended.cancel()
            _say_changed(files)
    finally:
        woken.cancel()
        await asyncio.wait({woken})


async def _built_with_edits(here: "Here", edits: Edits) -> bool:
    """Build until nothing that was edited meanwhile is missing in what was built."""
    for turn in range(BUILDS_IN_A_ROW):
        is_built = await _built(here)
        edits.leave_out(built_in(here.folder) if here.build else frozenset())
        if not (files := edits.since()):
            return is_built
        if turn + 1 < BUILDS_IN_A_ROW:
            _say_changed(files)
    names = ", ".join(sorted(files)[:3])
    click.echo(f"the build writes {names} each time: name what it makes in .gitignore", err=True)
    return is_built


def _say_changed(files: set[str]) -> None:
    click.echo(f"changed: {', '.join(sorted(files)[:3])}", err=True)


async def _changes(folder: Path) -> AsyncIterator[None]:
    """Wake up when something may have been saved."""
    from watchfiles import Change, awatch

    def may_count(_: Change, path: str) -> bool:
        parts = Path(path).relative_to(folder).parts
        return LEFT_OUT.isdisjoint(parts) and not any(part.startswith(".") for part in parts)

    async for _ in awatch(folder, watch_filter=may_count, debounce=200):
        yield


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


def _command(here: "Here", *, is_named: bool) -> tuple[str, ...]:
    """Return what starts it, as the manifest says now; empty, and the reason is said, if nothing does."""
    from .plugin_here import plugin_here

    if is_named:
        return here.command
    try:
        return plugin_here(here.folder).command
    except click.UsageError as error:
        click.echo(error.message, err=True)
        return ()


@asynccontextmanager
async def _running(
    command: tuple[str, ...], folder: Path, address: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).parent.mkdir(mode=0o700, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *command, "--standalone", address, cwd=folder, stdin=asyncio.subprocess.DEVNULL
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
