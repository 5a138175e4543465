"""What a server prints about itself: where it is, who answers, what it keeps, how far it is."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
import grpc.aio

from hector.document.v1 import DocumentStoreStub, GetIndexStatusRequest, IndexStatus
from hector_config import Loaded
from hector_gateway.admin_secret import AdminSecret
from hector_mesh import Call, scope
from hector_runtime.config import Config
from hector_runtime.process import Process
from hector_store.url import parse

from .version import installed_version

PROGRESS_S = 3.0
KEEPERS = {"agent", "document"}  # the roles that open the database


def say(line: str) -> None:
    """Print a line for whoever started the server; that nobody reads it does not end the server."""
    try:
        click.echo(line)
    except OSError:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # not a path of ours
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def introduction(config: Config, loaded: Loaded[Config], notes: Iterable[str], process: Process) -> list[str]:
    """Return the lines that say what runs here."""
    title = click.style(f"hector {installed_version()}", bold=True)
    lines = [f"{title} · {loaded.file} · revision {loaded.revision[:12]}"]
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


async def until_ready(process: Process, tell: Callable[[str], None] = say) -> None:
    """Wait until every role is ready; every few seconds say how far the indexes are, if that has changed."""
    last, begun = "", time.monotonic()
    while True:
        try:
            async with asyncio.timeout(PROGRESS_S):
                await process.ready.wait()
                return
        except TimeoutError:
            pass
        line = await _progress(process)
        if line and line != last:
            last = line
            tell(f"  {line} ({time.monotonic() - begun:.0f} s)")


async def _progress(process: Process) -> str:
    if "document" not in process.roles:
        return ""
    try:
        with scope(Call()):
            answer = await DocumentStoreStub(process.mesh).GetIndexStatus(
                GetIndexStatusRequest(), timeout=PROGRESS_S
            )
    except grpc.aio.AioRpcError:
        return ""
    return "; ".join(map(_described, answer.statuses))


def _described(status: IndexStatus) -> str:
    text = f"{status.document_store}: {status.documents_indexed}/{status.documents_total} documents indexed"
    if status.documents_failed:
        text += f", {status.documents_failed} could not be read"
    return text + (f" ({status.error})" if status.error else "")
