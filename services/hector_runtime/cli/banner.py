"""What a server prints about itself: where it is, who answers, what it keeps."""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from hector_config import Loaded
from hector_config.version import VERSION
from hector_gateway.admin_secret import AdminSecret
from hector_runtime.config import Config
from hector_runtime.pages import Pages
from hector_runtime.process import Process
from hector_store.url import parse

KEEPERS = {"agent", "document"}  # the roles that open the database


def say(line: str) -> None:
    """Print a line for whoever started the server; that nobody reads it does not end the server."""
    try:
        click.echo(line)
    except OSError:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # not a path of ours
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def introduction(
    config: Config, loaded: Loaded[Config], notes: Iterable[str], process: Process, pages: Pages
) -> list[str]:
    """Return the lines that say what runs here."""
    title = click.style(f"hector {VERSION}", bold=True)
    hashed = pages.id[:12]
    revision = (
        f"{pages.stored.number} ({hashed})" if pages.stored else hashed
    )  # the database gives the numbers
    lines = [f"{title} · {loaded.file} · revision {revision}"]
    facts = [*_facts(config, process)]
    width = max((len(name) for name, _ in facts), default=0)
    return [*lines, *(f"  {note}" for note in notes), *(f"  {name:<{width}}  {fact}" for name, fact in facts)]


def _facts(config: Config, process: Process) -> Iterator[tuple[str, str]]:
    everywhere = config.server.host in ("0.0.0.0", "::")
    for name, address in process.public.items():
        yield name, f"{address} (and every other address of this machine)" if everywhere else address
    if at := process.public.get("HTTP"):
        for key, agent in config.agents.items():
            title = f" ({agent.name})" if agent.name and agent.name != key else ""
            yield "agent", f"{key}{title}: {at}/agents/{key}"
    if process.address:
        yield "roles", f"{', '.join(process.roles)} on {process.address}"
    if KEEPERS & set(process.roles):
        yield "data", _kept(config.storage.database)


def _kept(database: str) -> str:
    place = parse(database, Path.cwd())
    return "in memory: forgotten at the end" if place.in_memory else place.name


def secret_lines(made: AdminSecret) -> list[str]:
    """Return the lines that show a new admin secret, this once."""
    return [
        "",
        f"  Admin secret: {click.style(made.text, bold=True)}",
        f"  It is shown this once; its hash is kept in {made.file}.",
        "  Use it as `hector call --token SECRET`, HECTOR_TOKEN, or `Authorization: Bearer SECRET`.",
        "",
    ]
