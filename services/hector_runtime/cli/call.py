"""`hector call`: one question, one answer, streamed."""

import json
import sys
from pathlib import Path

import click

from hector_runtime.asking import question

from .answer import Answer, followed
from .options import flags_of, source_options
from .running import run
from .server import asker, server_options


@click.command("call")
@click.argument("words", metavar="[AGENT] TEXT", nargs=-1, required=True)
@click.option("--agent", metavar="NAME", help="The agent to ask. Left out: the first one.")
@server_options
@click.option("--stream/--no-stream", default=True, help="Print the answer as it comes.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@source_options
def command(
    words: tuple[str, ...],
    agent: str | None,
    url: str | None,
    token: str | None,
    session: str,
    stream: bool,
    form: str,
    config_file: Path | None,
    database: str | None,
    **options: object,
) -> None:
    """Ask an agent once. `hector call TEXT` asks the first agent, `hector call AGENT TEXT` that one.

    TEXT may be "-" for standard input. Exit code 0 when the agent answered, 1 when it did not. Ctrl-C stops
    the answer, at the server too.

    Who answers: the server at --url; with --config or another option for running without a server, an agent
    in this process; else the server at HECTOR_URL, or at http://127.0.0.1:8080 if one is there; else an agent
    in this process, from hector.yaml if there is one. What runs in this process keeps nothing, unless
    --database says where.
    """
    name, text = _split(words, agent)
    answer = run(
        _ask(name, text, session, url, token, config_file, database, options, live=stream and form == "text")
    )
    if form == "json":
        shown = {
            "task": answer.task,
            "session": answer.context,
            "state": _state(answer),
            "text": answer.text,
            "error": answer.problem or None,
        }
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    elif not stream:
        click.echo(answer.text)
    if not answer.good:
        click.echo(f"Error: {answer.problem or f'the task ended as {_state(answer)}'}", err=True)
        sys.exit(1)


async def _ask(
    agent: str,
    text: str,
    session: str,
    url: str | None,
    token: str | None,
    config_file: Path | None,
    database: str | None,
    options: dict[str, object],
    *,
    live: bool,
) -> Answer:
    def write(piece: str) -> None:
        if live:
            click.echo(piece, nl=False)

    async with asker(url, token, config_file, flags_of(options), database) as there:
        answer = await followed(there, question(text, agent, session), write)
    if live and answer.text:
        click.echo()
    return answer


def _split(words: tuple[str, ...], agent: str | None) -> tuple[str, str]:
    if len(words) > 2 or (len(words) == 2 and agent):
        raise click.UsageError('put the text in quotes: hector call "TEXT", or hector call AGENT "TEXT"')
    name = words[0] if len(words) == 2 else agent or ""
    text = sys.stdin.read() if words[-1] == "-" else words[-1]
    if not text.strip():
        raise click.UsageError("there is no text to ask")
    return name, text


def _state(answer: Answer) -> str:
    import hector_a2a as a2a

    return a2a.TaskState.Name(answer.state).removeprefix("TASK_STATE_").lower()
