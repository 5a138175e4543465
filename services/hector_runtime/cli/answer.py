"""Follows an answer as it streams in: its text, the tools it uses, how it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import grpc.aio

import hector_a2a as a2a
from hector_mesh import HectorError
from hector_runtime.asking import Asker

ENDS = (a2a.TASK_STATE_COMPLETED, a2a.TASK_STATE_FAILED, a2a.TASK_STATE_CANCELED, a2a.TASK_STATE_REJECTED)
WAITS = (a2a.TASK_STATE_INPUT_REQUIRED, a2a.TASK_STATE_AUTH_REQUIRED)
CANCEL_S = 5.0  # how long a server may take to stop a task
BEGIN_S = 2.0  # how long one that has just been asked may take to say which task there is to stop


@dataclass(slots=True)
class ToolUse:
    """One call of a tool, as far as the stream tells."""

    tool: str
    arguments: str = ""
    duration_ms: float | None = None
    """None: it has not ended."""
    size: int = 0
    """Characters of its result."""
    error: str = ""


@dataclass(slots=True)
class Answer:
    """What is known of the answer so far."""

    task: str = ""
    context: str = ""
    state: int = 0
    """A lf.a2a.v1.TaskState."""
    problem: str = ""
    """What the server says beside the state: why it failed, or what it waits for."""
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    """Pieces of text by artifact, in the order in which they came."""
    tools: dict[str, ToolUse] = field(default_factory=dict)
    """Calls of tools by their ids."""

    @property
    def good(self) -> bool:
        """The agent answered."""
        return self.state == int(a2a.TASK_STATE_COMPLETED)

    @property
    def waits(self) -> bool:
        """The agent wants to be told more."""
        return self.state in WAITS

    @property
    def text(self) -> str:
        """All the text there is, a blank line between two artifacts."""
        return "\n\n".join(text for pieces in self.artifacts.values() if (text := "".join(pieces)))

    @property
    def state_name(self) -> str:
        """The state as people and scripts write it: "completed", "input_required"."""
        return a2a.TaskState.Name(self.state).removeprefix("TASK_STATE_").lower()


def nothing(_: object) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """Who gets what, as it comes. What one of them raises stops the task."""

    text: Callable[[str], None] = nothing
    tool: Callable[[ToolUse], None] = nothing
    """Gets a tool's call when it has ended."""
    update: Callable[["a2a.StreamResponse"], None] = nothing


async def followed(asker: Asker, request: "a2a.SendMessageRequest", show: Show) -> Answer:
    """Ask, and read the answer to its end. Cancelling (Ctrl-C) stops the task at the server, too.

    A stream that breaks stops nothing: the task may go on, and can be asked for.
    """
    following = _Following(asker, request, show)
    reading = asyncio.create_task(following.read())
    try:
        await asyncio.shield(reading)
    except (HectorError, grpc.aio.AioRpcError):
        raise
    except BaseException:
        await following.stop(reading)
        raise
    finally:
        reading.cancel()
        await asyncio.wait([reading])
    return following.answer


class _Following:
    """One answer being read."""

    def __init__(self, asker: Asker, request: "a2a.SendMessageRequest", show: Show) -> None:
        self.answer = Answer()
        self._asker, self._request, self._show = asker, request, show
        self._begun = asyncio.Event()
        self._current = ""  # the artifact whose text was shown last

    async def read(self) -> None:
        # Closed here, whatever is raised: left to the end of the program it would end with a traceback.
        async with contextlib.aclosing(self._asker.ask(self._request)) as responses:
            await self._take_all(responses)

    async def stop(self, reading: "asyncio.Task[None]") -> None:
        """Cancel the task at the server; nobody hears if that fails."""
        self._show = Show()
        with contextlib.suppress(TimeoutError, HectorError, grpc.aio.AioRpcError):
            async with asyncio.timeout(BEGIN_S):
                begun = asyncio.ensure_future(self._begun.wait())
                await asyncio.wait([begun, reading], return_when=asyncio.FIRST_COMPLETED)
                begun.cancel()
            if self.answer.task and self.answer.state not in ENDS:
                async with asyncio.timeout(CANCEL_S):
                    await self._asker.cancel(self.answer.task, self._request.tenant)

    async def _take_all(self, responses: AsyncIterator["a2a.StreamResponse"]) -> None:
        answer = self.answer
        async for response in responses:
            self._show.update(response)
            kind, is_known = response.WhichOneof("payload"), False
            if kind == "task":
                # What a task had made before it asked was shown when it asked.
                is_known = bool(self._request.message.task_id) and not answer.task
                answer.task, answer.context = response.task.id, response.task.context_id
                self._begun.set()
                self._take_status(response.task.status)
                for artifact in () if is_known else response.task.artifacts:
                    self._take_whole(artifact)
            elif kind == "message":
                text = text_of(response.message.parts)
                answer.artifacts["message"], answer.state = [text], a2a.TASK_STATE_COMPLETED
                answer.context = response.message.context_id
                self._show.text(text)
            elif kind == "artifact_update":
                update = response.artifact_update
                name, text = update.artifact.artifact_id, text_of(update.artifact.parts)
                if update.append:
                    answer.artifacts.setdefault(name, []).append(text)
                else:
                    answer.artifacts[name] = [text]
                self._write(name, text)
            elif kind == "status_update":
                self._take_status(response.status_update.status)
                self._take_doing(response.status_update)
            # A stream stays open there, since credentials may come another way; who reads has to be told now.
            if answer.state == int(a2a.TASK_STATE_AUTH_REQUIRED) and not is_known:
                return

    def _take_whole(self, artifact: "a2a.Artifact") -> None:
        """Take in an artifact as it is now, and show what is new of it."""
        name, text = artifact.artifact_id, text_of(artifact.parts)
        known = "".join(self.answer.artifacts.get(name, ()))
        self.answer.artifacts[name] = [text]
        self._write(name, text.removeprefix(known) if text.startswith(known) else text)

    def _write(self, name: str, text: str) -> None:
        if not text:
            return
        self._show.text(f"\n\n{text}" if self._current and self._current != name else text)
        self._current = name

    def _take_status(self, status: "a2a.TaskStatus") -> None:
        self.answer.state = status.state
        if status.HasField("message"):
            self.answer.problem = text_of(status.message.parts)

    def _take_doing(self, update: "a2a.TaskStatusUpdateEvent") -> None:
        """Take in what Hector tells of the tools, as metadata; other servers tell nothing."""
        facts = update.metadata.fields
        if "hector.tool" not in facts:
            return
        use = self.answer.tools.setdefault(
            facts["hector.call"].string_value, ToolUse(facts["hector.tool"].string_value)
        )
        if "hector.arguments" in facts:
            use.arguments = facts["hector.arguments"].string_value
        if "hector.duration_ms" in facts:
            use.duration_ms = facts["hector.duration_ms"].number_value
            use.size = int(facts["hector.result_size"].number_value)
            use.error = facts["hector.error"].string_value if "hector.error" in facts else ""
            self._show.tool(use)


def text_of(parts: "Iterable[a2a.Part]") -> str:
    """Return an artifact's or a message's parts as text; of what is none, a word that says what it is."""
    return "".join(map(_shown, parts))


def _shown(part: "a2a.Part") -> str:
    match part.WhichOneof("content"):
        case "text":
            return part.text
        case "url":
            return part.url
        case "data":
            from hector_a2a.json_out import encode

            return encode(part.data).decode()
        case "raw":
            named = " ".join(filter(None, (part.filename, part.media_type)))
            return f"[{named or 'file'}, {len(part.raw)} bytes]"
    return ""
