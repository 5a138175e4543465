"""`hector chat`: a conversation in the terminal."""

import asyncio
from pathlib import Path

import click

from hector_runtime.asking import question

from .answer import followed
from .options import flags_of, source_options
from .running import run
from .server import asker

LEAVE = {"exit", "quit", "/exit", "/quit"}


@click.command("chat")
@click.argument("agent", required=False, default="")
@click.option("--agent", "named", metavar="NAME", help="The same as AGENT.")
@click.option(
    "--url", metavar="URL", help="The server to ask (HECTOR_URL). Left out: the one on port 8080, else none."
)
@click.option("--token", metavar="TOKEN", help="The server's credential (HECTOR_TOKEN).")
@click.option("--session", metavar="ID", default="", help="Go on with a conversation.")
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
    """Talk with an agent; `exit` or Ctrl-D ends it."""
    run(_chat(named or agent, session, url, token, config_file, database, options))


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
    try:
        text = await asyncio.to_thread(input, "> ")
    except EOFError:
        return None
    return None if text.strip().lower() in LEAVE else text.strip()
