"""`hector chat`: a conversation in the terminal."""

import asyncio
import contextlib
import os
import sys
import threading
from pathlib import Path

import click

from hector_runtime.asking import question

from .answer import followed
from .options import flags_of, source_options
from .running import run
from .server import asker, server_options

LEAVE = {"exit", "quit", "/exit", "/quit"}


@click.command("chat")
@click.argument("agent", required=False, default="")
@click.option("--agent", "named", metavar="NAME", help="The same as AGENT.")
@server_options
@source_options
def command(
    agent: str,
    named: str | None,
    url: str | None,
    token: str | None,
    session: str,
    config_file: Path | None,
    database: str | None,
    **options: object,
) -> None:
    """Talk with an agent; `exit` or Ctrl-D ends it.

    Who answers is decided as for `hector call`.
    """
    try:
        run(_chat(named or agent, session, url, token, config_file, database, options))
    except SystemExit as end:
        # A thread may be waiting for a line still, and Python would wait for the thread.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)


async def _chat(
    agent: str,
    session: str,
    url: str | None,
    token: str | None,
    config_file: Path | None,
    database: str | None,
    options: dict[str, object],
) -> None:
    async with asker(url, token, config_file, flags_of(options), database) as there:
        click.echo("Type a message; `exit` or Ctrl-D ends the conversation.", err=True)
        while (text := await _line()) is not None:
            if not text:
                continue
            answer = await followed(
                there,
                question(text, agent, session),
                lambda piece: click.echo(piece, nl=False),
                lambda doing: click.echo(click.style(f"[{doing}]", dim=True), err=True),
            )
            click.echo()
            if not answer.good:
                click.echo(f"Error: {answer.problem or 'the agent did not answer'}", err=True)
            session = answer.context or session
        if session:
            click.echo(f"Go on later with: hector chat --session {session}", err=True)


async def _line() -> str | None:
    """Return the next line without its end; None at the end of the input."""
    loop = asyncio.get_running_loop()
    coming: asyncio.Future[str | None] = loop.create_future()

    def arrive(text: str | None) -> None:
        if not coming.done():
            coming.set_result(text)

    def read() -> None:
        try:
            text: str | None = input("> " if sys.stdin.isatty() else "")
        except (EOFError, OSError, ValueError):
            text = None
        with contextlib.suppress(RuntimeError):  # the conversation is over meanwhile
            loop.call_soon_threadsafe(arrive, text)

    # Not a thread of the loop's own: those are waited for, and this one may wait for ever.
    threading.Thread(target=read, name="stdin", daemon=True).start()
    text = await coming
    return None if text is None or text.strip().lower() in LEAVE else text.strip()
