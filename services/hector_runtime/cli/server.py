"""Which server a command talks to: the one at --url, the one at the default address, or none."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import click

from hector_a2a.client import Client
from hector_runtime.asking import Asker, ServerAsker, in_process
from hector_runtime.probe import json_at
from hector_runtime.zero import Flags

from .options import read_config, whole_config

F = TypeVar("F", bound=Callable[..., object])
DEFAULT_URL = "http://127.0.0.1:8080"
PROBE_S = 0.5


def server_options(command: F) -> F:
    """Add the options that say which server is asked, and in which conversation."""
    options = [
        click.option("--url", metavar="URL", help="The server to ask (HECTOR_URL)."),
        click.option("--token", metavar="TOKEN", help="The server's credential (HECTOR_TOKEN)."),
        click.option("--session", metavar="ID", default="", help="Go on with a conversation."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@asynccontextmanager
async def asker(
    url: str | None, token: str | None, config_file: Path | None, flags: Flags, database: str | None
) -> AsyncIterator[Asker]:
    """Return whoever answers: a server, or a mesh in this process on a database that is thrown away.

    `--url` names a server. A config file or its flags mean: here. Else HECTOR_URL, else a Hector at the
    default address, else here.

    Raises:
        UsageError: Both a server and a configuration of one's own are asked for.
    """
    here = [*(["--config"] if config_file else []), *flags.given(), *(["--database"] if database else [])]
    if url and here:
        raise click.UsageError(f"--url asks a server, {here[0]} runs an agent here: leave one of them out")
    if not here:
        url = url or os.environ.get("HECTOR_URL") or await _default_server()
    if url:
        async with Client(url, token=token or os.environ.get("HECTOR_TOKEN")) as client:
            yield ServerAsker(client)
        return
    loaded = read_config(config_file, flags)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
    config, _ = await whole_config(loaded, {"storage": {"database": database or "inmemory"}})
    async with in_process(config) as mesh:
        yield mesh


async def _default_server() -> str | None:
    """Return the default address if a Hector answers there, and not something else."""
    health = await json_at(f"{DEFAULT_URL}/health", PROBE_S)
    is_hector = isinstance(health, dict) and {"status", "version"} <= health.keys()
    return DEFAULT_URL if is_hector else None
