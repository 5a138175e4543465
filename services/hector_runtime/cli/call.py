"""`hector call`: one question, one answer, streamed."""

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag
from .exits import ANSWERING, Exit, exit_for
from .options import Source, format_option, here_options, server_options, source_of
from .output import Writer, aside, is_watched
from .running import run

if TYPE_CHECKING:
    import hector_a2a as a2a

    from .answer import Answer, ToolUse

EXAMPLES = (
    ('hector call "What is a run?"', "Ask the first agent of the server, or of hector.yaml."),
    ('hector call writer "Shorten this: …" --llm fast', "Ask another agent, and another model this once."),
    ("git diff | hector call --agent reviewer -", "Ask about what comes from a pipe."),
    ('hector call "Hello" --config hector.yaml --format json', "Ask without a server; JSON for a script."),
)


@click.command("call", cls=Documented, examples=EXAMPLES, exits=ANSWERING)
@click.argument("words", metavar="[AGENT] [TEXT]", nargs=-1)
@flag("-a", "--agent", metavar="NAME", show_default="the first one", help="The agent to ask.")
@flag(
    "-s",
    "--session",
    metavar="ID",
    envvar="HECTOR_SESSION",
    show_envvar=True,
    default="",
    help="Go on with a conversation.",
)
@flag("--task", metavar="ID", default="", help="Answer a task that waits for it.")
@flag(
    "--llm",
    metavar="NAME",
    default="",
    help="Ask this model once, by its key under llms:. For role operator and above, or where the agent says "
    "allow_llm_override: true.",
)
@flag("--stream/--no-stream", default=True, help="Print the answer as it comes, or whole at its end.")
@flag("--show-tools/--no-show-tools", default=True, help="Say on standard error which tools are used.")
@flag("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Give up after this.")
@format_option("text", "json", "jsonl")
@server_options
@here_options
def command(
    words: tuple[str, ...],
    agent: str | None,
    session: str,
    task: str,
    llm: str,
    stream: bool,
    show_tools: bool,
    timeout: float | None,
    form: str,
    **options: Any,
) -> None:
    """Ask an agent once.

    `hector call TEXT` asks the first agent, `hector call AGENT TEXT` or `--agent` that one. TEXT may be "-"
    for standard input; without TEXT a pipe is read.

    Who answers: the server at --url; with --config or another option for running without a server, an agent
    in this process; else the server at HECTOR_URL, or at http://127.0.0.1:8080 if one is there; else an agent
    in this process, from hector.yaml if there is one. What runs in this process keeps nothing, unless
    --database says where.

    Ctrl-C cancels the task, at the server too; a second one leaves at once. JSON Lines are the updates of A2A
    (StreamResponse), one a line.
    """
    name, text = _split(words, agent)
    source = source_of(options)
    writer = Writer(tools=show_tools)
    begun = time.monotonic()
    answer = run(_ask(source, (text, name, session, llm, task), writer, form, timeout, live=stream))
    if form == "json":
        click.echo(json.dumps(_fields(answer), ensure_ascii=False, indent=2))
    elif form == "text":
        _conclude(answer, source, time.monotonic() - begun, stream=stream)
    if answer.waits:
        sys.exit(Exit.INPUT_NEEDED)
    if not answer.good:
        click.echo(f"Error: {answer.problem or f'the task ended as {answer.state_name}'}", err=True)
        sys.exit(Exit.FAILED)


async def _ask(
    source: Source,
    wanted: tuple[str, str, str, str, str],
    writer: Writer,
    form: str,
    timeout_s: float | None,
    *,
    live: bool,
) -> "Answer":
    import asyncio

    from hector_mesh import HectorError
    from hector_runtime.asking import question

    from .answer import Show, followed, nothing
    from .server import asker
    from .timeout import AnswerTimedOut

    tasks: list[str] = []

    def update(response: "a2a.StreamResponse") -> None:
        if response.HasField("task"):
            tasks.append(response.task.id)
        if form == "jsonl":
            _line(response)

    show = Show(
        text=writer.text if live and form == "text" else nothing,
        tool=writer.tool if form == "text" else nothing,
        update=update,
    )
    try:
        async with asyncio.timeout(timeout_s) as limit:
            async with asker(source, wanted[2]) as there:
                answer = await followed(there, question(*wanted), show)
    except HectorError as error:
        writer.end()
        if tasks and exit_for(error.reason) is Exit.UNREACHABLE:
            # The next step, for whoever has lost sight of the task.
            error.args = (f"{error}; `hector task get {tasks[0]}` tells later what became of it",)
        raise
    except asyncio.CancelledError:
        writer.end()
        aside("cancelled")
        raise
    except TimeoutError:
        writer.end()
        if limit.expired():
            raise AnswerTimedOut(timeout_s or 0) from None
        raise
    writer.end()
    return answer


def _line(update: Any) -> None:
    from hector_a2a.json_out import to_json

    click.echo(json.dumps(to_json(update), ensure_ascii=False))


def _conclude(answer: "Answer", source: Source, took_s: float, *, stream: bool) -> None:
    if not stream and answer.text:
        click.echo(answer.text)
    if answer.waits:
        click.echo(answer.problem or "The agent waits for more.")
        aside(f"Go on with: hector call --task {answer.task} TEXT")
    elif is_watched() and answer.context and not (source.here and not source.database):
        aside(f"[session {answer.context} · {took_s:.1f} s]")


def _fields(answer: "Answer") -> dict[str, object]:
    return {
        "task": answer.task,
        "session": answer.context,
        "state": answer.state_name,
        "text": answer.text,
        "error": None if answer.good else answer.problem or None,
        "tools": [_tool_fields(use) for use in answer.tools.values()],
    }


def _tool_fields(use: "ToolUse") -> dict[str, object]:
    return {
        "tool": use.tool,
        "arguments": use.arguments,
        "duration_ms": use.duration_ms,
        "result_size": use.size,
        "error": use.error or None,
    }


def _split(words: tuple[str, ...], agent: str | None) -> tuple[str, str]:
    if len(words) > 2 or (len(words) == 2 and agent):
        raise click.UsageError('put the text in quotes: hector call "TEXT", or hector call AGENT "TEXT"')
    if not words and sys.stdin.isatty():
        raise click.UsageError('there is no text to ask: hector call "TEXT"')
    name = words[0] if len(words) == 2 else agent or ""
    text = read_stdin() if not words or words[-1] == "-" else words[-1]
    if not text.strip():
        raise click.UsageError("there is no text to ask")
    return _utf8(name, "the agent's name"), _utf8(text, "the text")


def read_stdin() -> str:
    """Return all of standard input.

    Raises:
        UsageError: It is no UTF-8.
    """
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError("standard input is not UTF-8 text") from None


def _utf8(text: str, what: str) -> str:
    """Return an argument's text; where the locale has few letters, its bytes are UTF-8 all the same."""
    try:
        return (
            os.fsencode(text).decode("utf-8") if any("\ud800" <= sign <= "\udfff" for sign in text) else text
        )
    except UnicodeError:
        raise click.UsageError(f"{what} is not UTF-8") from None
