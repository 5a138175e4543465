"""What a run's log says of how far its turn is, for whoever goes on with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hector.agent.v1 import RunEvent, ToolFinished, ToolStarted
from hector.common.v1 import ROLE_TOOL, Message

from .in_doubt import Verdict

ANSWER = "answer-"
"""What artifacts of a model's text are called, with the number of the question."""
_PROGRESS = frozenset({"model_answered", "tool_started", "tool_finished", "messages_added", "step_finished"})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known already of a decision that is carried out."""

    begun: Mapping[str, ToolStarted] = field(default_factory=dict)
    """Calls that were written down, by id: they have been made, or were about to be."""
    ends: Mapping[str, ToolFinished] = field(default_factory=dict)
    """What came of them."""
    again: frozenset[str] = frozenset()
    """Calls that are to be made once more, as their tools wanted."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """What a person said of those in doubt."""


NOTHING = Known()


def known_of(own: Sequence[RunEvent], calls: Sequence[ToolStarted]) -> Known:
    """Return what the log knows of calls.

    Args:
        own: The run's events.
        calls: The calls as they would be written down now. Ids come again in later decisions, effects do not.
    """
    effects = {call.effect_id for call in calls}
    begun: dict[str, ToolStarted] = {}
    ends: dict[str, ToolFinished] = {}
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "tool_started" and event.tool_started.effect_id in effects:
            begun[event.tool_started.call.id] = event.tool_started
        elif kind == "tool_finished" and event.tool_finished.call_id in begun:
            ends.setdefault(event.tool_finished.call_id, event.tool_finished)
    return Known(begun, ends)


def void_text(own: Sequence[RunEvent]) -> frozenset[str]:
    """Return the artifact with the text of a model call that was in progress when its owner went, if any."""
    open_text = ""
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "text_appended":
            appended = event.text_appended
            if not appended.artifact_id.startswith(ANSWER) or appended.last:
                open_text = ""
            else:
                open_text = appended.artifact_id
        elif kind == "model_answered":
            open_text = ""
    return frozenset({open_text} if open_text else ())


def without(own: Sequence[RunEvent], void: frozenset[str]) -> list[RunEvent]:
    """Return a run's events without text that is void."""
    return [
        event
        for event in own
        if not (event.HasField("text_appended") and event.text_appended.artifact_id in void)
    ]


def has_progress(own: Sequence[RunEvent]) -> bool:
    """Return whether a turn has done anything that must not be done again."""
    return any(event.WhichOneof("event") in _PROGRESS for event in own)


def counted(own: Sequence[RunEvent]) -> tuple[int, int]:
    """Return how many questions to models and decisions a log tells of, where no memory does."""
    asked = iteration = 0
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "model_answered":
            asked, iteration = asked + 1, max(iteration, event.model_answered.iteration)
        elif kind == "text_appended" and event.text_appended.artifact_id.startswith(ANSWER):
            number = event.text_appended.artifact_id.removeprefix(ANSWER)
            asked = max(asked, int(number) if number.isdigit() else 0)
    return asked, iteration + 1 if iteration else 0


def in_doubt(own: Sequence[RunEvent]) -> list[ToolStarted]:
    """Return the calls that have begun, and of whose end nothing is known."""
    begun: dict[str, ToolStarted] = {}
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "tool_started":
            begun[event.tool_started.call.id] = event.tool_started
        elif kind == "tool_finished":
            begun.pop(event.tool_finished.call_id, None)
    return list(begun.values())


def before_results(conversation: list[Message], calls: Sequence[str]) -> list[Message]:
    """Return a conversation without results of these calls at its end: they come when all are there."""
    end = len(conversation)
    while end and conversation[end - 1].role == ROLE_TOOL:
        if conversation[end - 1].parts[0].tool_result.tool_call_id not in calls:
            break
        end -= 1
    return conversation[:end]
