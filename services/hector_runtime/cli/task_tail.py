"""`hector task tail`: a task as it goes on, from its beginning or from where it is."""

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .output import aside
from .running import run

if TYPE_CHECKING:
    import hector_a2a as a2a


@click.command(
    "tail",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task tail 0198f3a2", "Its answer, and what it does, until it is over."),
        ("hector task tail 0198f3a2 -f jsonl", "A2A's own events, a line each."),
    ),
)
@click.argument("words", metavar="[AGENT] TASK_ID", nargs=-1, required=True)
@flag("-a", "--agent", metavar="NAME", show_default="whose it is", help="The agent that has it.")
@format_option("text", "jsonl")
@server_options
def tail(words: tuple[str, ...], agent: str | None, form: str, **options: Any) -> None:
    """Follow a task until it is over, at whatever server it is worked on.

    A connection that is lost is made again, and nothing is shown twice.
    """
    from .task import split

    name, task_id = split(words, agent)
    run(_followed(source_of(options), name, task_id, form))


async def _followed(source: Source, name: str, task_id: str, form: str) -> None:
    from hector_a2a.json_out import to_json
    from hector_runtime.asking import ServerAsker

    from .server import client
    from .task import found_at

    async with client(source) as server:
        owner, task = await found_at(server, name, task_id)
        asker = ServerAsker(server, lambda: aside("\nThe connection was lost; trying to pick it up …"))
        shown = _Shown()
        async for response in _events(asker, task, owner):
            if form == "jsonl":
                click.echo(json.dumps(to_json(response), ensure_ascii=False))
            else:
                shown.take(response)
        if form == "text":
            shown.end()


async def _events(asker: Any, task: "a2a.Task", owner: str) -> AsyncIterator["a2a.StreamResponse"]:
    import hector_a2a as a2a

    from .answer import ENDS

    if task.status.state in ENDS:
        yield a2a.StreamResponse(task=task)
        return
    async for response in asker.follow(task.id, owner):
        yield response


class _Shown:
    """What a terminal shows of a task: its text as it grows, and a line for what happens beside."""

    def __init__(self) -> None:
        self._state = 0
        self._is_open = False
        """The last line has not ended."""
        self._artifact = ""

    def take(self, response: "a2a.StreamResponse") -> None:
        from .answer import text_of

        kind = response.WhichOneof("payload")
        if kind == "task":
            for artifact in response.task.artifacts:
                self._write(artifact.artifact_id, text_of(artifact.parts))
            self._status(response.task.status)
        elif kind == "artifact_update":
            update = response.artifact_update
            if not update.append and self._artifact == update.artifact.artifact_id and self._is_open:
                self._line("(it begins anew)")
            self._write(update.artifact.artifact_id, text_of(update.artifact.parts))
        elif kind == "status_update":
            facts = response.status_update.metadata.fields
            if "hector.event" in facts:
                self._line(_doing(facts))
            else:
                self._status(response.status_update.status)

    def end(self) -> None:
        """End the last line."""
        if self._is_open:
            click.echo()

    def _write(self, artifact: str, text: str) -> None:
        if not text:
            return
        if self._artifact and artifact != self._artifact:
            self.end()
        self._artifact = artifact
        click.echo(text, nl=False)
        self._is_open = not text.endswith("\n")

    def _line(self, text: str) -> None:
        self.end()
        self._is_open = False
        aside(text)

    def _status(self, status: "a2a.TaskStatus") -> None:
        import hector_a2a as a2a

        from .answer import text_of

        told = text_of(status.message.parts) if status.HasField("message") else ""
        if status.state == self._state and not told:
            return
        self._state = status.state
        name = a2a.TaskState.Name(status.state).removeprefix("TASK_STATE_").lower()
        self._line(f"[{name}] {told}".rstrip())


def _doing(facts: Any) -> str:
    tool = facts["hector.tool"].string_value
    if facts["hector.event"].string_value == "tool_started":
        return f"[{tool}] {facts['hector.arguments'].string_value}"
    failed = f": {facts['hector.error'].string_value}" if "hector.error" in facts else ""
    return f"[{tool}] {facts['hector.duration_ms'].number_value:g} ms{failed}"
