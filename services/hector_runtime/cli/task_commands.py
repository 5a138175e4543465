"""`hector task pause`, `resume`, `retry`, `requeue`, `signal` and `checkpoints`: commands to runs."""

import json
from typing import Any
from urllib.parse import quote, urlencode

import click

from .documented import Documented, flag
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .running import run

Found = dict[str, Any]


@click.command(
    "pause",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task pause 0198f3a2", "It stops before its next step, and holds nothing."),
        ('hector task pause 0198f3a2 --reason "wait for the audit"', "With a word for who looks at it."),
    ),
)
@click.argument("task", metavar="TASK_ID")
@flag("--reason", metavar="TEXT", default="", help="Why; it is kept with the task.")
@format_option("text", "json")
@server_options
def pause(task: str, reason: str, form: str, **options: Any) -> None:
    """Have a task stop before its next step, until it is resumed.

    A question to a model or a call of a tool that is under way ends first.
    """
    from hector.agent.v1 import PauseRunRequest

    request = PauseRunRequest(run=task, reason=reason)
    found = _commanded(source_of(options), "PauseRun", request, task, "pause", reason=reason)
    _tell(found, form, f"Task {task} {_pausing(found)}.", f"Task {task} is paused already.")


@click.command(
    "resume",
    cls=Documented,
    exits=ASKING,
    examples=(("hector task resume 0198f3a2", "It goes on with the step at which it stopped."),),
)
@click.argument("task", metavar="TASK_ID")
@format_option("text", "json")
@server_options
def resume(task: str, form: str, **options: Any) -> None:
    """Let a task go on that was paused, or that waits to be resumed after its server was gone."""
    from hector.agent.v1 import ResumeRunRequest

    found = _commanded(source_of(options), "ResumeRun", ResumeRunRequest(run=task), task, "resume")
    _tell(found, form, f"Task {task} goes on.", f"Task {task} does not wait to be resumed.")


@click.command(
    "retry",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task retry 0198f3a2", "Again from its last step; what it had done is kept."),
        ("hector task retry 0198f3a2 --from-start", "Everything again, with new effects."),
    ),
)
@click.argument("task", metavar="TASK_ID")
@flag("--from-start", is_flag=True, help="Keep nothing of what it had done.")
@format_option("text", "json")
@server_options
def retry(task: str, from_start: bool, form: str, **options: Any) -> None:
    """Try a task again that has failed or was cancelled, as a new task of the same conversation.

    A task that is over never changes. The new one refers to it, and said twice it is the same new one.
    """
    from hector.agent.v1 import RetryRunRequest

    request = RetryRunRequest(run=task, from_start=from_start)
    more = {"fromStart": "true"} if from_start else {}
    found = _commanded(source_of(options), "RetryRun", request, task, "retry", **more)
    new = found.get("run", {}).get("name", "")
    _tell(
        found,
        form,
        f"Task {task} is tried again as {new}.",
        f"Task {task} was tried again before, as {new}, which is {_state(found)}.",
    )


@click.command(
    "requeue",
    cls=Documented,
    exits=ASKING,
    examples=(("hector task requeue 0198f3a2", "Once what was in its way is mended."),),
)
@click.argument("task", metavar="TASK_ID")
@flag("--from-start", is_flag=True, help="Keep nothing of what it had done.")
@format_option("text", "json")
@server_options
def requeue(task: str, from_start: bool, form: str, **options: Any) -> None:
    """Try a task again that was given up, for its owner; `hector task dead` lists those. For operators."""
    from hector.agent.v1 import RequeueDeadLetterRequest

    request = RequeueDeadLetterRequest(run=task, from_start=from_start)
    query = "?fromStart=true" if from_start else ""
    path = f"/admin/queue/dlq/{quote(task, safe='')}/requeue{query}"
    found = run(managed(source_of(options), "RequeueDeadLetter", request, path, verb="POST"))
    new = found.get("run", {}).get("name", "")
    _tell(
        found,
        form,
        f"Task {task} is tried again as {new}.",
        f"Task {task} was requeued before, as {new}, which is {_state(found)}.",
    )


@click.command(
    "signal",
    cls=Documented,
    exits=ASKING,
    examples=(
        (
            "hector task signal 0198f3a2 '{\"granted\": true}'",
            "For a task that waits for credentials, or for `turn.wait`.",
        ),
    ),
)
@click.argument("task", metavar="TASK_ID")
@click.argument("data", metavar="JSON", default="{}")
@format_option("text", "json")
@server_options
def signal(task: str, data: str, form: str, **options: Any) -> None:
    """Give a task what it waits for, where that is no message: a JSON object."""
    from hector.agent.v1 import Signal, SignalRequest

    try:
        said = json.loads(data)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise click.UsageError("JSON must be an object, as '{\"granted\": true}'")
    request = SignalRequest(run=task, signal=Signal(wake_json=data))
    path = f"/api/tasks/{quote(task, safe='')}:signal"
    found = run(managed(source_of(options), "Signal", request, path, verb="POST", body=said))
    if form == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(f"Task {task} has it.")


@click.command(
    "checkpoints",
    cls=Documented,
    exits=ASKING,
    examples=(("hector task checkpoints 0198f3a2", "From where it would go on after a crash."),),
)
@click.argument("task", metavar="TASK_ID")
@format_option("text", "json")
@server_options
def checkpoints(task: str, form: str, **options: Any) -> None:
    """List the places in a task's log from which it may be gone on with, as `storage.checkpoint` says."""
    from hector.agent.v1 import ListCheckpointsRequest

    path = f"/api/tasks/{quote(task, safe='')}/checkpoints"
    request = ListCheckpointsRequest(run=task)
    found = run(managed(source_of(options), "ListCheckpoints", request, path))
    if form == "json":
        click.echo(json.dumps(found, indent=2))
        return
    places = found.get("checkpoints", [])
    click.echo(f"{'EVENT':>6}  {'ANSWERS':>7}  {'WHY':<11}  TIME")
    for place in places:
        seq, answers = place.get("seq", "0"), place.get("iteration", 0)
        click.echo(f"{seq:>6}  {answers:>7}  {place.get('why', ''):<11}  {place.get('time', '')}")
    if not places:
        click.echo("No checkpoints.", err=True)


async def managed(
    source: Source,
    method: str,
    request: Any,
    path: str,
    *,
    verb: str = "GET",
    body: Found | None = None,
    is_whole: bool = False,
) -> Found:
    """Return what the server that the options name answers, over HTTP or gRPC."""
    from .server import client

    async with client(source) as found:
        return await found.manage(method, request, path, verb=verb, body=body, is_whole=is_whole)


def _commanded(source: Source, method: str, request: Any, task: str, command: str, **query: str) -> Found:
    said = {name: value for name, value in query.items() if value}
    path = f"/api/tasks/{quote(task, safe='')}:{command}{f'?{urlencode(said)}' if said else ''}"
    return run(managed(source, method, request, path, verb="POST"))


def _tell(found: Found, form: str, done: str, unchanged: str) -> None:
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        click.echo(done if found.get("changed") else unchanged)


def _state(found: Found) -> str:
    state: str = found.get("run", {}).get("state", "RUN_STATE_UNSPECIFIED")
    return state.removeprefix("RUN_STATE_").lower()


def _pausing(found: Found) -> str:
    return "is paused" if found.get("run", {}).get("held") else "stops before its next step"
