"""A conversation, as the offline model reads it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from hector.common.v1 import Message, Role, ToolResult

QUESTION = 1000
"""Characters above which a message is more than a question."""
MATERIAL = 200_000
"""Bytes of one text that are read at most."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool said since the last question."""

    tool: str
    arguments: dict[str, object]
    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Conversation:
    """What there is to answer, and what there is to answer it from."""

    question: str = ""
    """The user's last words."""
    attached: tuple[tuple[str, str], ...] = ()
    """Text files that came with them: name and content."""
    results: tuple[Result, ...] = ()
    """What tools said since then."""
    told: tuple[str, ...] = ()
    """What the user said before, oldest first."""
    answered: tuple[str, ...] = ()
    """What the model said before, oldest first."""
    system: str = ""
    calls: int = 0
    """Tool calls in the whole conversation."""


@dataclass(slots=True)
class _Reader:
    limit: int
    question: str = ""
    attached: list[tuple[str, str]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, object]] = field(default_factory=dict)
    count: int = 0
    asked: bool = False

    def read(self, message: Message) -> None:
        text = _text(message)
        if message.role == Role.ROLE_SYSTEM:
            self.system.append(text)
        elif message.role == Role.ROLE_ASSISTANT:
            if text:
                self.answered.append(text)
            for part in message.parts:
                if part.HasField("tool_call"):
                    self.count += 1
                    self.calls[part.tool_call.id] = _object(part.tool_call.arguments_json)
        elif message.role == Role.ROLE_TOOL:
            self.results += (self._result(part.tool_result) for part in message.parts)
        else:
            if self.asked and self.question:
                self.told.append(self.question)
            self.asked, self.results = True, []
            self.ask(text)
            self.attached += (
                (part.blob.name or "attachment", part.blob.data[:MATERIAL].decode("utf-8", "replace"))
                for part in message.parts
                if part.blob.data and part.blob.media_type.startswith(("text/", "application/json"))
            )

    def ask(self, text: str) -> None:
        """Take a question; one that is longer than a question holds something to answer it from."""
        self.question, self.attached = text.strip(), []
        if len(self.question) > QUESTION:
            first, last = self.question.splitlines()[0], self.question.splitlines()[-1]
            asked = last if "?" in last and "?" not in first else first
            self.attached = [("", self.question.replace(asked, "", 1)[:MATERIAL])]
            self.question = asked[:QUESTION]

    def _result(self, result: ToolResult) -> Result:
        text = "\n".join(part.text or part.data_json for part in result.parts)
        arguments = self.calls.get(result.tool_call_id, {})
        return Result(result.name, arguments, text.strip()[: self.limit], result.error)


def read(prompt: str, messages: Sequence[Message], tool_output_limit: int = 0) -> Conversation:
    """Read a conversation, or a prompt that stands for one.

    Args:
        prompt: The question if there are no messages.
        messages: Oldest first.
        tool_output_limit: Most characters of one tool result; 0 is no limit of the operator's.
    """
    reader = _Reader(min(tool_output_limit or MATERIAL, MATERIAL))
    if not messages:
        reader.ask(prompt)
    for message in messages:
        reader.read(message)
    return Conversation(
        question=reader.question,
        attached=tuple(reader.attached),
        results=tuple(reader.results),
        told=tuple(reader.told),
        answered=tuple(reader.answered),
        system="\n".join(reader.system),
        calls=reader.count,
    )


def _text(message: Message) -> str:
    return "\n".join(part.text or part.data_json for part in message.parts if part.text or part.data_json)


def _object(arguments: str) -> dict[str, object]:
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
