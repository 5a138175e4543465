"""What `hector serve` does once it has read its config: one process, with all roles or some."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import click

from hector_config import Loaded
from hector_gateway.admin_secret import admin_secret
from hector_gateway.listening import places
from hector_runtime.collector import settle
from hector_runtime.config import Config
from hector_runtime.handlers import check_handlers
from hector_runtime.pages import Pages
from hector_runtime.plugins.checking import check_plugins
from hector_runtime.process import Process, running
from hector_runtime.revision import sealed_config
from hector_runtime.roles import chosen

from .banner import KEEPERS, introduction, say, secret_lines
from .progress import until_ready
from .rereading import Rereading, Running
from .settings import Overrides, indexed_anew, whole_config


@dataclass(frozen=True, slots=True)
class Start:
    """What the command line asks for."""

    loaded: Loaded[Config]
    overrides: Overrides
    roles: tuple[str, ...]
    listen: str | None
    begun: float
    """When the command began, on the monotonic clock."""
    reindex: bool
    watch: bool


async def serve(stop: asyncio.Event, start: Start) -> None:
    """Serve until `stop` is set, and then end in order."""
    config, notes = await completed_config(start)
    here = roles_here(config, start)
    check_beginning(config, start, here)
    pages = Pages(config, start.loaded, sealed_config(start.loaded), keeps=bool(KEEPERS & set(here)))
    rereading = Rereading(Running(start.loaded, config, start.overrides, pages, start.watch))
    async with (
        rereading.on_hangup(),
        running(config, start.roles, start.listen, source=pages.source()) as process,
    ):
        if KEEPERS & set(here):
            await pages.record()
        rereading.started(process)
        for line in introduction(config, start.loaded, notes, process, pages):
            say(line)
        async with becoming_ready(process, stop):
            settle()
            if not stop.is_set():
                say(f"Ready in {time.monotonic() - start.begun:.2f} s. Ctrl-C stops.")
            await stop.wait()
        say("Stopping …")
        await process.drain()


async def completed_config(start: Start) -> tuple[Config, list[str]]:
    """Return the whole config, and what was filled in, in sentences."""
    config, notes = await whole_config(start.loaded, start.overrides)
    return indexed_anew(config) if start.reindex else config, notes


def roles_here(config: Config, start: Start) -> list[str]:
    """Return the roles that run here.

    Raises:
        UsageError: Nobody could reach them.
    """
    here = chosen(start.roles, config)
    if not start.listen and "gateway" not in here:
        raise click.UsageError(
            f"nobody could reach {', '.join(here)} here: add --listen with the address that `mesh:` in the "
            f"config has for it, as --listen unix:///run/{here[0]}.sock"
        )
    return here


def check_beginning(config: Config, start: Start, here: list[str]) -> None:
    """Look at what would be in the way, and make the admin secret, and show it, if there has to be one."""
    if "agent" in here:
        check_handlers(start.loaded)
    check_plugins(start.loaded, here)
    if "gateway" in here:
        # A start that fails on its address or its certificate must not have shown, once and for all, a
        # secret that nobody reads.
        with places(config.server):
            pass
        show_secret(config)


def show_secret(config: Config) -> None:
    """Make the admin secret, and show it, if there has to be one and is none."""
    if config.server.tls.wanted:
        from hector_gateway.tls import TLS

        TLS(config.server.tls)
    if (made := admin_secret(config)) is not None:
        for line in secret_lines(made):
            say(line)


@asynccontextmanager
async def becoming_ready(process: Process, stop: asyncio.Event) -> AsyncIterator[None]:
    """Wait until a process is ready, or is told to stop, and say meanwhile how far it is."""
    becoming = asyncio.ensure_future(until_ready(process))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((becoming, stopping), return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        becoming.cancel()
        stopping.cancel()
