"""What a handler says, on its way into its run's log: as few commits as may be, and nothing out of order.

Text is shown at once, as a model's is. Everything else is shown when it is committed, and that begins as soon
as the handler waits for something: what it says without waiting is committed together.
"""

import asyncio
import logging
from collections.abc import Mapping
from uuid import NAMESPACE_OID, uuid4, uuid5

from google.protobuf.struct_pb2 import Struct

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_COMPLETED,
    RUN_STATE_FAILED,
    RUN_STATE_INPUT_REQUIRED,
    RUN_STATE_REJECTED,
    RUN_STATE_WORKING,
    ArtifactSaved,
    MessageSent,
    RunError,
    RunEvent,
    RunState,
    StateChanged,
    StatusChanged,
    TextAppended,
    TokensSpent,
)
from hector.common.v1 import TokenUsage
from hector_agent.measuring import count_tokens
from hector_agent.packing import pack, packed
from hector_agent.moment import Also
from hector_agent.run import Run
from hector_agent.usage import FIELDS

from .errors import HandlerSaidNonsense, HandlerSaysTooMuch
from .legs import Leg
from .turn import Turn

log = logging.getLogger(__name__)

STATES: "Mapping[int, RunState.ValueType]" = {
    a2a.TASK_STATE_WORKING: RUN_STATE_WORKING,
    a2a.TASK_STATE_INPUT_REQUIRED: RUN_STATE_INPUT_REQUIRED,
    a2a.TASK_STATE_AUTH_REQUIRED: RUN_STATE_AUTH_REQUIRED,
    a2a.TASK_STATE_COMPLETED: RUN_STATE_COMPLETED,
    a2a.TASK_STATE_FAILED: RUN_STATE_FAILED,
    a2a.TASK_STATE_REJECTED: RUN_STATE_REJECTED,
}
"""What an agent may say of how it is."""
PENDING_EVENTS, PENDING_BYTES = 64, 256 * 1024
"""How much a handler may say before it has to wait for the log."""
ROUNDS = 8
"""Rounds of the event loop from one commit to the next: what is said in them is committed together."""
ANSWER = "answer-"
NO_CONTENT = "a part of it has no text, file or data"


class Answer:
    """One answer of a handler, while it is being given."""

    def __init__(self, run: Run, turn: Turn, limit_bytes: int, leg: Leg) -> None:
        self._run, self._turn, self._limit_bytes = run, turn, limit_bytes
        self._leg, self._unnamed = leg, 0
        before = sum(artifact.startswith(ANSWER) for artifact in leg.known) if leg.known else 0
        self._id = f"{ANSWER}{before + 1}"
        self._begun = False
        """There is text, or there are parts, outside other artifacts."""
        self._tail: ArtifactSaved | TextAppended | None = None
        """What was said last of it, while that is not written yet."""
        self._known = set(leg.known)
        self._pending: list[RunEvent] = []
        self._spent: list[RunEvent] = []
        """What was paid before anything was said: written with what is said first."""
        self._flushing: asyncio.Handle | None = None
        self._begins = 0
        """Writes that are on their way."""
        self._said_bytes = self._unwritten_bytes = 0
        self._failure: BaseException | None = None
        self._is_decided = False
        """Whoever waits for that knows that the answer is a task."""
        self._end: StatusChanged | a2a.Message = StatusChanged(state=RUN_STATE_COMPLETED)

    async def take(self, said: object) -> bool:
        """Take what the handler says; True: that was the last of it.

        Raises:
            InvalidAgentResponse: A2A allows no such answer.
            HectorError: The log cannot take it.
            CancelledError: Nobody wants to hear more.
        """
        if self._run.stopping:
            raise asyncio.CancelledError
        if self._failure is not None:
            raise self._failure
        if isinstance(said, str):
            self._say_text(said)
        elif isinstance(said, a2a.TaskArtifactUpdateEvent):
            self._say_piece(said)
        elif isinstance(said, a2a.Part):
            answer = a2a.Artifact(artifact_id=self._id, name="answer", parts=[said])
            self._say_artifact(answer, append=self._begun)
        elif isinstance(said, a2a.Artifact):
            self._say_artifact(said, last=True)
        elif isinstance(said, a2a.TaskStatusUpdateEvent):
            return self._say_status(said)
        elif isinstance(said, a2a.Message):
            self._answer_plainly(said)
            return True
        elif isinstance(said, TokenUsage):
            self._count(said)
        else:
            raise self._nonsense(f"it said a {type(said).__name__}, which is nothing that A2A knows")
        if self._unwritten_bytes > PENDING_BYTES or len(self._pending) > PENDING_EVENTS:
            self._unwritten_bytes = 0
            await self._run.commit(self._taken)
        return False

    async def commit(self, *events: RunEvent, also: Also | None = None) -> None:
        """Commit what was said so far, and these events behind it.

        Raises:
            HectorError: The log cannot take it.
        """
        self._decided()
        self._unschedule()

        def settled() -> tuple[list[RunEvent], bool]:
            return [*self._taken()[0], *events], False

        await self._run.commit(settled, also=also)
        if self._failure is not None:
            raise self._failure

    def break_off(self) -> None:
        """Let what was said so far be committed although it does not come to an end."""
        if self._flushing is not None:
            self._unschedule()
            self._flush()

    async def finish(self) -> None:
        """Commit the rest, and how it ended.

        Raises:
            InvalidAgentResponse: The session's state is no JSON.
            HectorError: The log cannot take it.
        """
        self._unschedule()
        if self._begins:  # what is on its way may fail, and then it has not ended well
            await self._run.settled()
        change = self._state_changed()
        if self._failure is not None:
            raise self._failure
        if change is not None:
            change.state_changed.before_json = ""  # nothing is taken back behind an end
            self._pending.append(change)
        self._pending[:0], self._spent = self._spent, []
        run, end = self._run, self._end
        if isinstance(end, StatusChanged):
            self._decided()
            await run.commit(self._ending, is_task=None if run.is_task else True)
            run.reason = end.error.reason
        else:
            sent = RunEvent(message_sent=MessageSent(message=packed(end)))
            done = RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))
            events = [*self._pending, sent, done]
            await run.commit(events, is_task=False if run.is_task else None)
            run.answer = end
            self._decided()
        if self._failure is not None:
            raise self._failure

    def _say_text(self, text: str) -> None:
        if not text:
            return
        if not self._is_decided:
            self._decided()
        try:
            self._spend(len(text.encode()))
        except UnicodeEncodeError:
            raise self._nonsense("its text cannot be written as UTF-8") from None
        if not self._pending:
            self._tail = None
            self._run.show(self._id, text, begun=self._begun)
        else:  # behind what is on its way to the log
            last = self._pending[-1].text_appended
            if last.artifact_id == self._id:
                last.text += text
            else:
                self._run.takes_back(self._id)
                more = TextAppended(artifact_id=self._id, text=text, append=self._begun)
                self._pending.append(event := RunEvent(text_appended=more))
                self._tail = event.text_appended
        self._begun = True

    def _say_artifact(
        self,
        said: "a2a.Artifact",
        *,
        append: bool = False,
        last: bool = False,
        metadata: Struct | None = None,
    ) -> None:
        artifact = said
        if not said.artifact_id:
            if append:
                raise self._nonsense("it added to an artifact without an id")
            artifact = a2a.Artifact(artifact_id=self._unnamed_id())
            artifact.MergeFrom(said)
        artifact_id, parts = artifact.artifact_id, artifact.parts
        if not parts:
            raise self._nonsense(f"its artifact {artifact_id!r} has no parts")
        size_bytes = 0
        for part in parts[:]:  # a list: the end of protobuf's own costs as much as a check
            if part.WhichOneof("content") is None:
                raise self._nonsense(NO_CONTENT)
            size_bytes += part.ByteSize()
        self._spend(size_bytes)
        if artifact_id == self._id:
            known, self._begun = self._begun, True
        else:
            known = artifact_id in self._known
        if append and not known:
            raise self._nonsense(f"it added to artifact {artifact_id!r}, which it had not begun")
        self._known.add(artifact_id)
        self._run.takes_back(artifact_id)
        event = RunEvent()
        saved = event.artifact_saved
        pack(saved.artifact, artifact)
        saved.append, saved.last = append, last
        if metadata is not None:
            saved.metadata.CopyFrom(metadata)
        if artifact_id == self._id:
            self._tail = saved
        self._say(event)

    def _say_piece(self, said: "a2a.TaskArtifactUpdateEvent") -> None:
        if said.task_id or said.context_id:
            self._belongs(said)
        metadata = said.metadata if said.HasField("metadata") else None
        self._say_artifact(said.artifact, append=said.append, last=said.last_chunk, metadata=metadata)

    def _say_status(self, said: "a2a.TaskStatusUpdateEvent") -> bool:
        self._belongs(said)
        only_metadata = not said.HasField("status") and said.HasField("metadata")
        state = RUN_STATE_WORKING if only_metadata else STATES.get(said.status.state)
        if state is None:
            shown = a2a.TaskState.keys()[said.status.state] if said.status.state in range(9) else "nothing"
            raise self._nonsense(f"it said that it is {shown}, which is not for an agent to say")
        change = StatusChanged(state=state)
        if said.HasField("metadata"):
            change.metadata.CopyFrom(said.metadata)
        if said.status.HasField("message"):
            change.message.CopyFrom(packed(self._message(said.status.message)))
        if state == RUN_STATE_WORKING:
            self._say(RunEvent(status_changed=change))
            return False
        if state == RUN_STATE_FAILED:
            change.error.CopyFrom(RunError(reason="FAILED_BY_AGENT", message="the agent says that it failed"))
        self._end = change
        return True

    def _count(self, usage: TokenUsage) -> None:
        if wrong := [name for name in FIELDS if getattr(usage, name) < 0]:
            raise self._nonsense(f"it spent less than nothing: {wrong[0]} is {getattr(usage, wrong[0])}")
        count_tokens(self._run, usage)
        event = RunEvent(tokens_spent=TokensSpent(usage=usage))
        if self._begun or self._known or self._pending:
            self._say(event)
        else:  # nothing was said yet, and all of it may still be a plain message
            self._spent.append(event)

    def _answer_plainly(self, said: "a2a.Message") -> None:
        if self._begun or self._pending or self._known or self._run.state != RUN_STATE_WORKING:
            raise self._nonsense("it answered with a message after it had begun a task")
        message = self._message(said)
        message.context_id = self._run.place.context
        if self._run.taken_for_task or self._turn.resumes:  # too late: somebody was told that there is a task
            answer = a2a.Artifact(artifact_id=self._id, name="answer", parts=message.parts)
            self._say_artifact(answer, last=True)
            return
        self._run.plain = True
        self._end = message

    def _message(self, said: "a2a.Message") -> "a2a.Message":
        """Return a copy of a message of the handler's, with what it may leave out."""
        if not said.parts:
            raise self._nonsense("its message has no parts")
        message = a2a.Message()
        message.CopyFrom(said)
        for part in message.parts:
            self._check(part)
        message.message_id = message.message_id or str(uuid4())
        message.role = a2a.ROLE_AGENT
        message.ClearField("task_id")
        message.ClearField("context_id")
        return message

    def _check(self, part: "a2a.Part") -> None:
        if part.WhichOneof("content") is None:
            raise self._nonsense(NO_CONTENT)
        self._spend(part.ByteSize())

    def _belongs(self, said: "a2a.TaskArtifactUpdateEvent | a2a.TaskStatusUpdateEvent") -> None:
        place = self._run.place
        if said.task_id not in ("", place.run) or said.context_id not in ("", place.context):
            raise self._nonsense("it spoke of another task than its own")

    def _say(self, event: RunEvent) -> None:
        """Have an event committed as soon as the handler waits, with what else it says until then."""
        if not self._is_decided:
            self._decided()
        self._pending.append(event)
        if self._flushing is None:
            self._flush_in(0)

    def _flush(self, rounds: int = 0) -> None:
        """Commit what waits, if there was no commit for a few rounds; and so again while more is said."""
        if rounds:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush, rounds - 1)
            return
        self._flushing = None
        if self._pending:
            self._begins += 1
            self._run.begin(self._taken).add_done_callback(self._written)
            self._flush_in(ROUNDS)

    def _flush_in(self, rounds: int) -> None:
        self._flushing = asyncio.get_running_loop().call_soon(self._flush, rounds)

    def _written(self, write: "asyncio.Task[None]") -> None:
        self._begins -= 1
        if not write.cancelled():
            self._failure = self._failure or write.exception()

    def _unschedule(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None

    def _taken(self) -> tuple[list[RunEvent], bool]:
        """Return what waits to be written, in the moment in which it is."""
        events, self._pending, self._spent = [*self._spent, *self._pending], [], []
        self._tail = None
        self._unwritten_bytes = 0
        change = self._state_changed()
        return ([*events, change] if change is not None else events), False

    def _ending(self) -> tuple[list[RunEvent], bool]:
        """Return the last events, and whether the open text is the end of its artifact."""
        assert isinstance(self._end, StatusChanged)
        pending, self._pending = self._pending, []
        events = [*pending, RunEvent(status_changed=self._end)]
        if not self._begun:
            return events, False
        if self._tail is not None:
            self._tail.last = True
            return events, False
        if self._run.growing != self._id:  # it ended with a part
            last = TextAppended(artifact_id=self._id, append=True, last=True)
            return [*pending, RunEvent(text_appended=last), *events[len(pending) :]], False
        return events, True

    def _state_changed(self) -> RunEvent | None:
        try:
            delta, before = self._turn._changes()
        except (TypeError, ValueError) as error:
            self._failure = self._nonsense(f"what it left in the session's state cannot be kept: {error}")
            return None
        if not delta:
            return None
        return RunEvent(state_changed=StateChanged(delta_json=delta, before_json=before))

    def _unnamed_id(self) -> str:
        """Return an id for an artifact without one; the same when the handler is called again."""
        self._unnamed += 1
        place = f"{self._run.place.run}/{self._leg.number}/{self._unnamed}"
        return f"artifact-{uuid5(NAMESPACE_OID, place)}"

    def _decided(self) -> None:
        self._is_decided = True
        if self._run.undecided is not None:
            self._run.undecided.set()

    def _spend(self, size_bytes: int) -> None:
        self._said_bytes += size_bytes
        self._unwritten_bytes += size_bytes
        if self._said_bytes > self._limit_bytes:
            raise HandlerSaysTooMuch(self._run.place.agent, self._limit_bytes)

    def _nonsense(self, what: str) -> HandlerSaidNonsense:
        place = self._run.place
        log.error("agent answered wrong", extra={"run": place.run, "agent": place.agent, "why": what})
        return HandlerSaidNonsense(place.agent, place.run)
