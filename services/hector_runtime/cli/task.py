"""`hector task`: tasks at a server: what became of them, and what they are to do."""

import copy
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from . import push
from .documented import Documented, flag
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .output import columns, cut
from .running import run
from .task_commands import checkpoints, pause, requeue, resume, retry, signal
from .task_queue import dead, queue
from .task_tail import tail

if TYPE_CHECKING:
    import hector_a2a as a2a
    from hector_a2a.client import Client
    from hector_mesh import HectorError

T = TypeVar("T")
_KEEPS_TO_ITSELF = ("EXTENSION_SUPPORT_REQUIRED", "VERSION_NOT_SUPPORTED", "TRANSPORT_NOT_OFFERED")
"""Why an agent may not say which tasks it has, and others do."""
STATES = (
    *("submitted", "working", "completed", "failed", "canceled"),
    *("rejected", "input_required", "auth_required"),
)


@click.group("task")
def command() -> None:
    """Look at tasks of a running server, and tell them what to do.

    Everybody sees only their own: a task of somebody else's is not found. Commands of operators reach all.
    """


for _command in (
    *(tail, pause, resume, retry, signal, checkpoints, requeue),
    *(queue, dead, push.command),
):
    command.add_command(_command)


def hidden(known: click.Command, name: str) -> click.Command:
    """Return a command under another name, which help does not list."""
    other = copy.copy(known)
    other.name, other.hidden = name, True
    return other


def task_arguments(function: Any) -> Any:
    """Add [AGENT] TASK_ID, and --agent."""
    argument = click.argument("words", metavar="[AGENT] TASK_ID", nargs=-1, required=True)
    named = flag("-a", "--agent", metavar="NAME", show_default="whose it is", help="The agent that has it.")
    return argument(named(function))


@command.command(
    "show",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task show 0198f3a2", "Its state and its answer."),
        ("hector task show writer 0198f3a2 -f json", "The same as A2A's JSON, of an agent that is named."),
    ),
)
@task_arguments
@format_option("text", "json")
@server_options
def show(words: tuple[str, ...], agent: str | None, form: str, **options: Any) -> None:
    """Print a task: its state, what was asked, what was answered."""
    name, task_id = split(words, agent)
    source = source_of(options)
    owner, task = _of_server(source, lambda client: found_at(client, name, task_id))
    _print(owner, task, form)


command.add_command(hidden(show, "get"))  # as it was called before


@command.command(
    "cancel",
    cls=Documented,
    exits=ASKING,
    examples=(("hector task cancel 0198f3a2", "Stop it, and everything that it started."),),
)
@task_arguments
@format_option("text", "json")
@server_options
def cancel(words: tuple[str, ...], agent: str | None, form: str, **options: Any) -> None:
    """Stop a task, and everything that it started.

    A task that has ended is left as it is: that is said, and is no error.
    """
    name, task_id = split(words, agent)
    source = source_of(options)
    owner, task, stopped = _of_server(source, lambda client: _cancelled(client, name, task_id))
    if form == "json":
        _print(owner, task, form)
    elif stopped:
        click.echo(f"Task {task.id} is cancelled.")
    else:
        click.echo(f"Task {task.id} had ended already: it is {_state(task)}. Nothing was left to cancel.")


@command.command(
    "list",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task list", "The latest tasks of all agents."),
        ("hector task list --agent writer --state working", "What one agent is at work on."),
        ("hector task list --context 0198f3a1 -f json", "A conversation's tasks, for a script."),
    ),
)
@flag("-a", "--agent", metavar="NAME", show_default="all agents", help="Only this agent's.")
@flag("--state", type=click.Choice(STATES), help="Only those in this state.")
@flag("-s", "--context", "--session", metavar="ID", default="", help="Only this conversation's.")
@flag("--limit", type=click.IntRange(1, 100), default=20, help="At most this many.")
@flag("--page", metavar="TOKEN", default="", help="Go on where the last page ended; needs --agent.")
@format_option("text", "json")
@server_options
def list_(
    agent: str | None,
    state: str | None,
    context: str,
    limit: int,
    page: str,
    form: str,
    **options: Any,
) -> None:
    """List tasks, the latest change first."""
    source = source_of(options)
    if page and not agent:
        raise click.UsageError("--page goes on with one agent's tasks: add --agent NAME")
    found = _of_server(source, lambda client: _listed(client, agent, state, context, limit, page))
    rows, following, total = found
    if form == "json":
        from hector_a2a.json_out import to_json

        tasks = [{"agent": owner, **to_json(task)} for owner, task in rows]
        shown = {"tasks": tasks, "total": total, "next_page": following or None}
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for line in _table(rows):
        click.echo(line)
    if not rows:
        click.echo("No tasks.", err=True)
    elif total > len(rows):
        more = f"--agent {agent} --page {following}" if agent and following else "--limit, or --agent NAME"
        click.echo(f"{len(rows)} of {total}; more with {more}", err=True)


def _of_server(source: Source, ask: "Callable[[Client], Awaitable[T]]") -> T:
    async def work() -> T:
        from .server import client

        async with client(source) as found:
            return await ask(found)

    return run(work())


async def _owners(client: "Client", name: str) -> list[str]:
    """Return the agents that may have a task: a task id says nothing of its agent.

    One that is named may be gone, and have tasks still. A server that is not Hector's has one without a name.
    """
    from hector_a2a.client_errors import NotAnA2AServer, Refused

    if name:
        return [name]
    try:
        return [agent.name for agent in await client.agents()]
    except (NotAnA2AServer, Refused):
        return [""]


async def found_at(client: "Client", name: str, task_id: str) -> "tuple[str, a2a.Task]":
    """Return a task and whose it is.

    Raises:
        Refused: No agent has it.
    """
    import asyncio

    from hector_a2a.client_endpoint import TransportNotOffered
    from hector_a2a.client_errors import Refused
    from hector_mesh import HectorError

    async def ask(agent: str) -> "a2a.Task | HectorError":
        try:
            return await client.get(task_id, agent)
        except (Refused, TransportNotOffered) as error:
            if _why(error) not in ("TASK_NOT_FOUND", *(() if name else _KEEPS_TO_ITSELF)):
                raise
            return error

    owners = await _owners(client, name)
    answers = await asyncio.gather(*map(ask, owners))
    for owner, answer in zip(owners, answers, strict=True):
        if not isinstance(answer, HectorError):
            return owner, answer
    for answer in answers:
        if isinstance(answer, HectorError) and _why(answer) != "TASK_NOT_FOUND":
            raise answer  # it may be there
    whose = f"agent {name!r} has" if name else "there is"
    message = f"{whose} no task {task_id!r} of yours; `hector task list` shows those there are"
    raise Refused(message, reason="TASK_NOT_FOUND")


def _why(error: "HectorError") -> str:
    """Return why something was not done, as the server says it, or the client."""
    return error.facts.get("reason", error.reason)


async def _cancelled(client: "Client", name: str, task_id: str) -> "tuple[str, a2a.Task, bool]":
    from hector_a2a.client_errors import Refused

    owner, task = await found_at(client, name, task_id)
    try:
        return owner, await client.cancel(task.id, owner), True
    except Refused as error:
        if error.facts.get("reason") != "TASK_NOT_CANCELABLE":
            raise
    return owner, await client.get(task.id, owner), False


async def _listed(
    client: "Client", agent: str | None, state: str | None, context: str, limit: int, page: str
) -> "tuple[list[tuple[str, a2a.Task]], str, int]":
    import asyncio

    import hector_a2a as a2a
    from hector_a2a.client_endpoint import TransportNotOffered
    from hector_a2a.client_errors import Refused
    from hector_a2a.errors import UnsupportedOperation

    async def ask(name: str) -> "a2a.ListTasksResponse":
        request = a2a.ListTasksRequest(context_id=context, page_size=limit, page_token=page)
        if state:
            request.status = a2a.TaskState.Value(f"TASK_STATE_{state.upper()}")  # type: ignore[assignment]
        try:
            return await client.tasks(request, name)
        except (UnsupportedOperation, Refused, TransportNotOffered) as error:
            if agent or _why(error) not in (UnsupportedOperation.reason, *_KEEPS_TO_ITSELF):
                raise
            click.echo(f"agent {name!r} is left out: {error}", err=True)
            return a2a.ListTasksResponse()

    owners = await _owners(client, agent or "")
    pages = await asyncio.gather(*map(ask, owners))
    rows = [(owner, task) for owner, found in zip(owners, pages, strict=True) for task in found.tasks]
    rows.sort(key=lambda row: row[1].status.timestamp.ToNanoseconds(), reverse=True)
    following = pages[0].next_page_token if agent and pages else ""
    return rows[:limit], following, sum(found.total_size for found in pages)


def split(words: tuple[str, ...], agent: str | None) -> tuple[str, str]:
    """Return the agent that is named, or "", and the task."""
    if len(words) > 2 or (len(words) == 2 and agent):
        raise click.UsageError("name one task: TASK_ID, or AGENT TASK_ID")
    return (agent or "" if len(words) == 1 else words[0]), words[-1]


def _print(owner: str, task: "a2a.Task", form: str) -> None:
    from hector_a2a.json_out import to_json

    from .answer import text_of

    if form == "json":
        click.echo(json.dumps(to_json(task), ensure_ascii=False, indent=2))
        return
    click.echo(f"task     {task.id}")
    click.echo(f"agent    {owner}")
    click.echo(f"session  {task.context_id}")
    click.echo(f"state    {_state(task)}, {_time(task)}")
    for message in task.history:
        click.echo(f"\n> {text_of(message.parts)}")
    for artifact in task.artifacts:
        click.echo(f"\n{text_of(artifact.parts)}")
    if task.status.HasField("message"):
        click.echo(f"\n{text_of(task.status.message.parts)}")


def _table(rows: "Sequence[tuple[str, a2a.Task]]") -> list[str]:
    from .answer import text_of

    if not rows:
        return []
    lines = [("TASK", "AGENT", "STATE", "CHANGED", "SESSION", "ASKED")]
    for owner, task in rows:
        asked = " ".join(text_of(task.history[0].parts).split()) if task.history else ""
        lines.append((task.id, owner, _state(task), _time(task), task.context_id, asked))
    widths = [max(len(row[at]) for row in lines) for at in range(5)]
    room = max(columns(), sum(widths) + 20)
    return [
        cut("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]), room)
        for row in lines
    ]


def _state(task: "a2a.Task") -> str:
    import hector_a2a as a2a

    return a2a.TaskState.Name(task.status.state).removeprefix("TASK_STATE_").lower()


def _time(task: "a2a.Task") -> str:
    from datetime import UTC

    moment = task.status.timestamp.ToDatetime(UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")
