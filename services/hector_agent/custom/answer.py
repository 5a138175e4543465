"""What a handler says, taken as it comes: checked, named, and made an event of its run."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
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
    MessageSent,
    RunError,
    RunEvent,
    RunState,
    StatusChanged,
    TextAppended,
    TokensSpent,
)
from hector.common.v1 import TokenUsage
from hector_agent.measuring import count_tokens
from hector_agent.packing import packed, url_of
from hector_agent.run import Run
from hector_agent.usage import FIELDS

from .errors import HandlerSaysTooMuch
from .legs import Leg
from .turn import Turn
from .unwritten import PENDING_BYTES, Unwritten

STATES: "Mapping[int, RunState.ValueType]" = {
    a2a.TASK_STATE_WORKING: RUN_STATE_WORKING,
    a2a.TASK_STATE_INPUT_REQUIRED: RUN_STATE_INPUT_REQUIRED,
    a2a.TASK_STATE_AUTH_REQUIRED: RUN_STATE_AUTH_REQUIRED,
    a2a.TASK_STATE_COMPLETED: RUN_STATE_COMPLETED,
    a2a.TASK_STATE_FAILED: RUN_STATE_FAILED,
    a2a.TASK_STATE_REJECTED: RUN_STATE_REJECTED,
}
"""What an agent may say of how it is."""
ANSWER = "answer-"
NO_CONTENT = "a part of it has no text, file or data"


_ARTIFACT = url_of(a2a.Artifact)
_COMPLETED = StatusChanged(state=RUN_STATE_COMPLETED)


class Answer(Unwritten):
    """One answer of a handler, while it is being given."""

    # As it is at first, in the class: every answer makes one of these.
    _begun = False
    """There is text, or there are parts, outside other artifacts."""
    _said_bytes = 0
    _is_over = False
    _unnamed = 0
    """Artifacts that it said without an id."""
    _id = f"{ANSWER}1"
    _leg_number = 1
    _known: frozenset[str] = frozenset()
    """Artifacts of earlier calls."""
    _end: "StatusChanged | a2a.Message" = _COMPLETED

    def __init__(self, run: Run, turn: Turn, limit_bytes: int, leg: Leg | None) -> None:
        super().__init__(run, turn)
        self._limit_bytes = limit_bytes
        self._said = set[str]()
        """Artifacts of this call, but for the answer itself."""
        if leg is not None:
            self._known = leg.known
            before = sum(artifact.startswith(ANSWER) for artifact in leg.known)
            self._id = f"{ANSWER}{before + 1}"
            self._leg_number = leg.number

    def take(self, said: object) -> bool:
        """Take what the handler says; True: it may not go on now, see `goes_on`.

        Raises:
            InvalidAgentResponse: A2A allows no such answer.
            HectorError: The log cannot take it.
            CancelledError: Nobody wants to hear more.
        """
        if self._run.stopping:
            raise asyncio.CancelledError
        if self._failure is not None:
            raise self._failure
        way = _WAYS.get(type(said)) or self._way_of(said)
        way(self, said)
        return self._room_bytes < 0

    async def goes_on(self) -> bool:
        """Wait until there is room for more; False: that was the last of it.

        Raises:
            HectorError: The log cannot take what was said.
        """
        if self._is_over:
            return False
        self._room_bytes = PENDING_BYTES
        await self._run.commit(self._taken)
        return True

    async def finish(self) -> None:
        """Commit the rest, and how it ended.

        Raises:
            InvalidAgentResponse: The session's state is no JSON.
            HectorError: The log cannot take it.
        """
        self._unschedule()
        run, end = self._run, self._end
        if self._begins:  # what is on its way may fail, and then it has not ended well
            await run.settled()
        change = self._state_changed()
        if self._failure is not None:
            raise self._failure
        if change is not None:
            change.state_changed.before_json = ""  # nothing is taken back behind an end
            self._pending.append(change)
        if self._spent:
            self._pending[:0], self._spent = self._spent, ()
        if isinstance(end, StatusChanged):
            if not self._is_decided:
                self._decided()
            await run.commit(self._ending, is_task=None if run.is_task else True)
            if end is not _COMPLETED:
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
            self._spend(len(text) if text.isascii() else len(text.encode()))
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

    def _say_piece(self, said: "a2a.TaskArtifactUpdateEvent") -> None:
        artifact = said.artifact
        if (
            artifact.artifact_id in self._said
            and said.append
            and not (said.last_chunk or said.task_id or said.context_id or said.HasField("metadata"))
        ):
            self._say_more(artifact)
            return
        self._belongs(said)
        metadata = said.metadata if said.HasField("metadata") else None
        self._say_artifact(artifact, said.append, said.last_chunk, metadata)

    def _say_part(self, said: "a2a.Part") -> None:
        answer = a2a.Artifact(artifact_id=self._id, name="answer", parts=[said])
        self._say_artifact(answer, append=self._begun, last=False)

    def _say_whole(self, said: "a2a.Artifact") -> None:
        self._say_artifact(said, append=False, last=True)

    def _say_more(self, artifact: "a2a.Artifact") -> None:
        """Do what `_say_artifact` does of what was said before: of thousands of pieces, all but the first."""
        size_bytes = 0
        for part in artifact.parts[:]:
            if part.WhichOneof("content") is None:
                raise self._nonsense(NO_CONTENT)
            size_bytes += part.ByteSize()
        if not size_bytes:
            raise self._nonsense(f"its artifact {artifact.artifact_id!r} has no parts")
        self._said_bytes = said_bytes = self._said_bytes + size_bytes
        if said_bytes > self._limit_bytes:
            raise self._too_much()
        event = RunEvent()
        saved = event.artifact_saved
        held, saved.append = saved.artifact, True
        held.type_url, held.value = _ARTIFACT, artifact.SerializeToString()
        self._say(event, size_bytes)

    def _say_artifact(
        self, artifact: "a2a.Artifact", append: bool, last: bool, metadata: Struct | None = None
    ) -> None:
        artifact_id, parts = artifact.artifact_id, artifact.parts[:]
        if not artifact_id:
            artifact = self._named(artifact, append)
            artifact_id = artifact.artifact_id
        if not parts:
            raise self._nonsense(f"its artifact {artifact_id!r} has no parts")
        size_bytes = 0
        for part in parts:
            if part.WhichOneof("content") is None:
                raise self._nonsense(NO_CONTENT)
            size_bytes += part.ByteSize()
        self._said_bytes = said_bytes = self._said_bytes + size_bytes
        if said_bytes > self._limit_bytes:
            raise self._too_much()
        event = RunEvent()
        saved = event.artifact_saved
        if artifact_id == self._id:
            if append and not self._begun:
                raise self._nonsense(f"it added to artifact {artifact_id!r}, which it had not begun")
            self._begun, self._tail = True, saved
        elif append and artifact_id not in self._said and artifact_id not in self._known:
            raise self._nonsense(f"it added to artifact {artifact_id!r}, which it had not begun")
        else:
            self._said.add(artifact_id)
        if self._run.void:
            self._run.takes_back(artifact_id)
        held = saved.artifact
        held.type_url, held.value = _ARTIFACT, artifact.SerializeToString()
        if append:
            saved.append = True
        if last:
            saved.last = True
        if metadata is not None:
            saved.metadata.CopyFrom(metadata)
        self._say(event, size_bytes)

    def _say_status(self, said: "a2a.TaskStatusUpdateEvent") -> None:
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
            return
        if state == RUN_STATE_FAILED:
            change.error.CopyFrom(RunError(reason="FAILED_BY_AGENT", message="the agent says that it failed"))
        self._ends(change)

    def _count(self, usage: TokenUsage) -> None:
        if wrong := [name for name in FIELDS if getattr(usage, name) < 0]:
            raise self._nonsense(f"it spent less than nothing: {wrong[0]} is {getattr(usage, wrong[0])}")
        count_tokens(self._run, usage)
        event = RunEvent(tokens_spent=TokensSpent(usage=usage))
        if self._begun or self._said or self._known or self._pending:
            self._say(event)
        else:  # nothing was said yet, and all of it may still be a plain message
            self._spent = [*self._spent, event]

    def _answer_plainly(self, said: "a2a.Message") -> None:
        if self._begun or self._pending or self._said or self._known or self._run.state != RUN_STATE_WORKING:
            raise self._nonsense("it answered with a message after it had begun a task")
        message = self._message(said)
        message.context_id = self._run.place.context
        if self._run.taken_for_task or self._turn.resumes:  # too late: somebody was told that there is a task
            answer = a2a.Artifact(artifact_id=self._id, name="answer", parts=message.parts)
            self._say_artifact(answer, append=False, last=True)
            self._ends(self._end)
            return
        self._run.plain = True
        self._ends(message)

    def _ends(self, end: "StatusChanged | a2a.Message") -> None:
        self._end, self._is_over, self._room_bytes = end, True, -1  # and none for anything else

    def _named(self, said: "a2a.Artifact", append: bool) -> "a2a.Artifact":
        """Return an artifact without an id with one: the same when the handler is called again."""
        if append:
            raise self._nonsense("it added to an artifact without an id")
        self._unnamed += 1
        place = f"{self._run.place.run}/{self._leg_number}/{self._unnamed}"
        artifact = a2a.Artifact(artifact_id=f"artifact-{uuid5(NAMESPACE_OID, place)}")
        artifact.MergeFrom(said)
        return artifact

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

    def _ending(self) -> tuple[list[RunEvent], bool]:
        """Return the last events, and whether the open text is the end of its artifact."""
        end, events, is_open = self._end, self._pending, False
        assert isinstance(end, StatusChanged)
        self._pending = []
        if self._begun:
            if self._tail is not None:
                self._tail.last = True
            elif self._run.growing == self._id:
                is_open = True
            else:  # it ended with a part
                last = TextAppended(artifact_id=self._id, append=True, last=True)
                events.append(RunEvent(text_appended=last))
        events.append(RunEvent(status_changed=end))
        return events, is_open

    def _spend(self, size_bytes: int) -> None:
        self._said_bytes += size_bytes
        self._room_bytes -= size_bytes
        if self._said_bytes > self._limit_bytes:
            raise self._too_much()

    def _too_much(self) -> HandlerSaysTooMuch:
        return HandlerSaysTooMuch(self._run.place.agent, self._limit_bytes)

    def _way_of(self, said: object) -> "_Way":
        """Return how something is taken that is of no known kind itself, but perhaps by descent."""
        for kind, way in _WAYS.items():
            if isinstance(said, kind):
                return way
        raise self._nonsense(f"it said a {type(said).__name__}, which is nothing that A2A knows")


_Way = Callable[[Answer, Any], None]
_WAYS: Mapping[type, _Way] = {
    str: Answer._say_text,
    a2a.TaskArtifactUpdateEvent: Answer._say_piece,
    a2a.Part: Answer._say_part,
    a2a.Artifact: Answer._say_whole,
    a2a.TaskStatusUpdateEvent: Answer._say_status,
    a2a.Message: Answer._answer_plainly,
    TokenUsage: Answer._count,
}
"""What a handler may say, and how it is taken."""
