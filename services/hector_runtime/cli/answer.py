"""Prints an answer as it streams in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import grpc.aio

import hector_a2a as a2a
from hector_mesh import HectorError
from hector_runtime.asking import Asker

ENDS = (a2a.TASK_STATE_COMPLETED, a2a.TASK_STATE_FAILED, a2a.TASK_STATE_CANCELED, a2a.TASK_STATE_REJECTED)
CANCEL_S = 5.0  # how long a server may take to stop a task


@dataclass(slots=True)
class Answer:
    """What is known of the answer so far."""

    task: str = ""
    context: str = ""
    state: int = 0
    """A lf.a2a.v1.TaskState."""
    problem: str = ""
    """Why it failed, as the server says."""
    artifacts: dict[str, str] = field(default_factory=dict)
    """Text by artifact, in the order in which they came."""

    @property
    def good(self) -> bool:
        """The agent answered."""
        return self.state == int(a2a.TASK_STATE_COMPLETED)

    @property
    def text(self) -> str:
        """All the text there is, a blank line between two artifacts."""
        return "\n\n".join(text for text in self.artifacts.values() if text)


async def followed(
    asker: Asker,
    request: "a2a.SendMessageRequest",
    write: Callable[[str], None],
    note: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Ask, and read the answer to its end. Cancelling (Ctrl-C) stops the task at the server, too.

    A stream that breaks stops nothing: the task may go on, and can be asked for.

    Args:
        asker: Whom to ask.
        request: What to ask.
        write: Gets the text, piece by piece. What it raises stops the task.
        note: Gets what the agent is doing meanwhile.
    """
    answer = Answer()
    try:
        # Closed here, whatever `write` raises: left to the end of the program it would end with a traceback.
        async with contextlib.aclosing(asker.ask(request)) as responses:
            await _follow(answer, responses, write, note)
    except (HectorError, grpc.aio.AioRpcError):
        raise
    except BaseException:
        if answer.task and answer.state not in ENDS:
            with contextlib.suppress(TimeoutError, HectorError, grpc.aio.AioRpcError):
                async with asyncio.timeout(CANCEL_S):
                    await asker.cancel(answer.task, request.tenant)
        raise
    return answer


async def _follow(
    answer: Answer,
    responses: AsyncIterator["a2a.StreamResponse"],
    write: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    current = ""
    async for response in responses:
        kind = response.WhichOneof("payload")
        if kind == "task":
            answer.task, answer.context = response.task.id, response.task.context_id
            _take_status(answer, response.task.status)
            for artifact in response.task.artifacts:
                current = _take_whole(answer, artifact, current, write)
        elif kind == "message":
            text = text_of(response.message.parts)
            answer.artifacts["message"], answer.state = text, a2a.TASK_STATE_COMPLETED
            answer.context = response.message.context_id
            write(text)
        elif kind == "artifact_update":
            update = response.artifact_update
            name, text = update.artifact.artifact_id, text_of(update.artifact.parts)
            if text and current and current != name:
                write("\n\n")
            current = name if text else current
            kept = answer.artifacts.get(name, "") if update.append else ""
            answer.artifacts[name] = kept + text
            write(text)
        elif kind == "status_update":
            _take_status(answer, response.status_update.status)
            doing = response.status_update.metadata
            if "hector.event" in doing and doing["hector.event"] == "tool_started":
                note(f"using {doing['hector.tool']}")


def _take_whole(answer: Answer, artifact: "a2a.Artifact", current: str, write: Callable[[str], None]) -> str:
    """Take in an artifact as it is now, and write what is new of it; return whose text was written last."""
    name, text = artifact.artifact_id, text_of(artifact.parts)
    known = answer.artifacts.get(name, "")
    new = text.removeprefix(known) if text.startswith(known) else text
    answer.artifacts[name] = text
    if not new:
        return current
    write(f"\n\n{new}" if current and current != name else new)
    return name


def text_of(parts: "Iterable[a2a.Part]") -> str:
    """Return the text of an artifact's or a message's parts."""
    return "".join(part.text for part in parts)


def _take_status(answer: Answer, status: "a2a.TaskStatus") -> None:
    answer.state = status.state
    if status.HasField("message"):
        answer.problem = text_of(status.message.parts)
