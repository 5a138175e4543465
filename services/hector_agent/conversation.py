"""The conversation a model reads, as a view of the events of a session's runs."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_INPUT_REQUIRED,
    ModelAnswered,
    RunEvent,
    ToolFinished,
)
from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Blob,
    Message,
    Part,
    ToolResult,
)
from hector_a2a.json_out import encode

from .packing import unpack

LOST = "This call was interrupted; nothing is known of its result."


def messages_of(events: Iterable[RunEvent]) -> list[Message]:
    """Return what was said in one or more runs, oldest first.

    Every tool call has its result right after it, as models demand: a call whose result was lost
    gets one that says so. Text of a turn that broke off stays, since the user has seen it.
    """
    told: list[Message] = []
    text: list[str] = []
    run, answers_call = "", False
    for event in events:
        if event.run != run:
            _break_off(told, text)
            run, answers_call = event.run, False
        kind = event.WhichOneof("event")
        if kind == "message_received":
            _break_off(told, text)
            incoming = a2a.Message()
            unpack(event.message_received.message, incoming)
            if not answers_call:  # else it is the result of a tool
                told.append(from_a2a(incoming))
            answers_call = False
        elif kind == "status_changed" and not answers_call and _asks(event):
            _break_off(told, text)
            question = a2a.Message()
            unpack(event.status_changed.message, question)
            told.append(from_a2a(question))
        elif kind == "turn_parked":
            answers_call = bool(event.turn_parked.calls or event.turn_parked.in_doubt)
        elif kind == "message_sent":
            outgoing = a2a.Message()
            unpack(event.message_sent.message, outgoing)
            told.append(from_a2a(outgoing))
        elif kind == "text_appended":
            if not event.text_appended.append:
                text.clear()
            text.append(event.text_appended.text)
        elif kind == "model_answered":
            if not event.model_answered.hidden:
                told.append(turn_of(event.model_answered, "".join(text)))
            text.clear()
        elif kind == "tool_finished":
            told.append(Message(role=ROLE_TOOL, parts=[Part(tool_result=result_of(event.tool_finished))]))
        elif kind == "messages_added":
            told.extend(event.messages_added.messages)
    _break_off(told, text)
    return list(_paired(told))


def system(*instructions: str) -> list[Message]:
    """Return the system message that the instructions make, or nothing when all are empty."""
    text = "\n\n".join(instruction.strip() for instruction in instructions if instruction.strip())
    return [Message(role=ROLE_SYSTEM, parts=[Part(text=text)])] if text else []


def from_a2a(message: "a2a.Message") -> Message:
    """Return an A2A message as a model reads it: text, bytes, references and JSON."""
    parts = []
    for part in message.parts:
        kind = part.WhichOneof("content")
        if kind == "text":
            parts.append(Part(text=part.text))
        elif kind == "raw":
            blob = Blob(
                media_type=part.media_type or "application/octet-stream", data=part.raw, name=part.filename
            )
            parts.append(Part(blob=blob))
        elif kind == "url":
            blob = Blob(
                media_type=part.media_type or "application/octet-stream", uri=part.url, name=part.filename
            )
            parts.append(Part(blob=blob))
        elif kind == "data":
            parts.append(Part(data_json=encode(part.data).decode()))
    return Message(role=ROLE_USER if message.role == a2a.ROLE_USER else ROLE_ASSISTANT, parts=parts)


def turn_of(answered: ModelAnswered, text: str) -> Message:
    """Return a model's turn with its text back in place, before the tool calls."""
    message = Message()
    message.CopyFrom(answered.message)
    if answered.artifact_id and text:
        del message.parts[:]
        thoughts = [part for part in answered.message.parts if part.WhichOneof("content") == "reasoning"]
        message.parts.extend(thoughts)
        message.parts.append(Part(text=text))
        message.parts.extend(
            part for part in answered.message.parts if part.WhichOneof("content") != "reasoning"
        )
    return message


def result_of(finished: ToolFinished) -> ToolResult:
    """Return what a model gets to see of a tool call."""
    if finished.HasField("error"):
        parts, failed = [Part(text=finished.error.message)], True
    elif finished.result.error:
        parts, failed = [Part(text=finished.result.error)], True
    else:
        rich = list(finished.result.parts)
        parts, failed = rich or [Part(text=finished.result.result or finished.result.structured_json)], False
    return ToolResult(tool_call_id=finished.call_id, name=finished.tool, parts=parts, error=failed)


def calls_in(message: Message) -> list["Part"]:
    """Return the parts of a message that ask for tools, in order."""
    return [part for part in message.parts if part.WhichOneof("content") == "tool_call"]


def _asks(event: RunEvent) -> bool:
    """Return whether an agent asks its user something."""
    changed = event.status_changed
    return changed.state in (RUN_STATE_INPUT_REQUIRED, RUN_STATE_AUTH_REQUIRED) and changed.HasField(
        "message"
    )


def _break_off(told: list[Message], text: list[str]) -> None:
    if text:
        told.append(Message(role=ROLE_ASSISTANT, parts=[Part(text="".join(text))]))
        text.clear()


def _paired(told: Sequence[Message]) -> Iterator[Message]:
    """Put each tool's result behind the turn that asked for it, in the order of the calls."""
    for index, message in enumerate(told):
        if message.role == ROLE_TOOL:
            continue
        yield message
        calls = calls_in(message)
        if not calls:
            continue
        behind = takewhile(lambda later: later.role == ROLE_TOOL, told[index + 1 :])
        results = {later.parts[0].tool_result.tool_call_id: later for later in behind}
        for part in calls:
            call = part.tool_call
            lost = ToolResult(tool_call_id=call.id, name=call.name, parts=[Part(text=LOST)], error=True)
            yield results.get(call.id) or Message(role=ROLE_TOOL, parts=[Part(tool_result=lost)])
