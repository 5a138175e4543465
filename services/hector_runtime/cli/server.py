"""Which server a command talks to: the one at --url, the one at the default address, or none."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from .options import Source
from .output import aside, is_watched

if TYPE_CHECKING:
    from hector_a2a.client import Client
    from hector_runtime.asking import Asker
    from hector_runtime.process import Process

DEFAULT_URL = "http://127.0.0.1:8080"
PROBE_S = 2.5  # a server asks all its roles how they are


@asynccontextmanager
async def asker(source: Source, session: str = "") -> "AsyncIterator[Asker]":
    """Return whoever answers: a server, or a mesh in this process on a database that is thrown away.

    `--url` names a server. A config file or flags that describe an agent mean: here. Else HECTOR_URL, else a
    Hector at the default address, else here.

    Raises:
        UsageError: Both a server and a configuration of one's own are asked for.
    """
    url = await _server(source)
    if url is None:
        async with _here(source, session) as mesh:
            yield mesh
        return
    from hector_runtime.asking import ServerAsker

    async with client(source, url) as found:
        yield ServerAsker(found, lambda: aside("\nThe connection was lost; trying to pick up the answer …"))


def client(source: Source, url: str | None = None) -> "Client":
    """Return a client of the server that the options name, to be opened with `async with`."""
    from hector_a2a.client import Client

    address = url or source.url or DEFAULT_URL
    return Client(
        address,
        token=source.token,
        ca_certificate=source.ca_certificate,
        transport=source.transport,
        extensions=source.extensions,
    )


async def _server(source: Source) -> str | None:
    if source.here:
        if source.url_is_said:
            what = source.here[0]
            raise click.UsageError(f"--url asks a server, {what} runs an agent here: leave one of them out")
        return None
    if source.url:
        return source.url
    from hector_runtime.probe import json_at

    health = await json_at(f"{DEFAULT_URL}/health", PROBE_S)
    is_hector = isinstance(health, dict) and {"status", "version"} <= health.keys()
    return DEFAULT_URL if is_hector else None


@asynccontextmanager
async def _here(source: Source, session: str) -> "AsyncIterator[Asker]":
    from hector_runtime.inside import in_process

    from .progress import until_ready
    from .settings import read_config, whole_config

    if is_watched() and not source.here:
        aside(f"No server at {DEFAULT_URL}: the agent runs in this process.")
    if session and not source.database:
        aside("Nothing is kept here, so the session begins anew; --database keeps it, or ask a server.")
    loaded = read_config(source.config_file, source.flags)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    overrides: dict[str, dict[str, object]] = {"storage": {"database": source.database or "inmemory"}}
    config, _ = await whole_config(loaded, overrides)
    running: list[Process] = []

    async def wait(process: "Process") -> None:
        running.append(process)
        await until_ready(process)

    async with in_process(config, wait, source.extensions) as mesh:
        try:
            yield mesh
        finally:
            for line in _unwell(running[0]):
                aside(line)


def _unwell(process: "Process") -> Iterator[str]:
    """Say which plugins the answer had to do without, perhaps: no log is shown here that would tell."""
    from hector_runtime.plugins.hosting import Plugins

    plugins = process.mesh.plugins
    if isinstance(plugins, Plugins) and plugins.host is not None:
        for name, why in plugins.host.degraded().items():
            yield f"plugin {name} is not well: {why}"
