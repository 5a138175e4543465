"""The default strategy: ask the model, do what it wants done, until it wants nothing."""

from collections.abc import Sequence
from dataclasses import replace

from hector.common.v1 import ROLE_USER, Message, Part
from hector.llm.v1 import (
    FINISH_REASON_CONTENT_FILTER,
    FINISH_REASON_ERROR,
    FINISH_REASON_LENGTH,
    FinishReason,
)
from hector.reasoning.v1 import Action, Ask, Observation, ProcessIterationResponse
from hector_reasoning.circles import asked_for, came_of_it
from hector_reasoning.errors import NothingCameOfAsking
from hector_reasoning.state import Memory

NAME = "default"

CUT_OFF: dict[FinishReason.ValueType, str] = {
    FINISH_REASON_LENGTH: "The answer was cut off: the model reached its limit of tokens (`max_tokens`).",
    FINISH_REASON_CONTENT_FILTER: "The model's provider held back the rest of the answer (content filter).",
    FINISH_REASON_ERROR: "The answer was cut off: the model's provider failed in the middle of it.",
}
EMPTY = "The model answered with nothing. Ask again, or ask differently."


def decide(memory: Memory, observations: Sequence[Observation]) -> tuple[Memory, ProcessIterationResponse]:
    """Return what to do after what was seen, and what to remember; `state` is left to the caller.

    Nothing seen yet, or results of tools: ask the model. Failed calls are results too, since the
    agent keeps them in the conversation and the model may find another way; one that makes the same
    call over and over is told so, and then stopped. A model's turn with tool calls: make them all, side
    by side. A turn without: the run is over.

    The agent counts the questions and ends the run where no more are allowed, so the tools that
    the last question led to have run and the conversation can be continued.

    Raises:
        NothingCameOfAsking: The model could not be asked.
        GoesInCircles: The model makes the same call again and again.
    """
    for seen in observations:
        if seen.HasField("message"):
            return _after_answer(memory, seen)
        if seen.error and seen.action_id.startswith("ask-"):
            raise NothingCameOfAsking(seen.error)
    results = [seen.tool_result for seen in observations if seen.HasField("tool_result")]
    memory, warning = came_of_it(memory, results)
    memory = replace(memory, asked=memory.asked + 1)
    ask = Ask(conversation=Ask.CONVERSATION_APPEND, may_conclude=True)
    if warning:
        aside = Message(role=ROLE_USER, parts=[Part(text=warning)])
        ask = Ask(conversation=Ask.CONVERSATION_ASIDE, messages=[aside], may_conclude=True)
    question = Action(id=f"ask-{memory.asked}", ask=ask)
    return memory, ProcessIterationResponse(success=True, actions=[question])


def conclusion(memory: Memory, agent: str, *, truncated: bool) -> str:
    """Return the last sentence of a run: why it was stopped, or nothing.

    Args:
        memory: Where the run was.
        agent: Its agent as the configuration has it, "agents.assistant"; may be empty.
        truncated: A limit ended the run.
    """
    if not truncated:
        return ""
    if not memory.limit:
        return "The run was stopped by a limit before the answer was complete. Ask again to go on."
    key = f"{agent}.reasoning.max_iterations" if agent else "reasoning.max_iterations"
    limit = f"{memory.limit} iteration" + ("s" if memory.limit > 1 else "")
    return (
        f"The limit of {limit} was reached before the answer was complete. Ask again to go on from here, "
        f"or raise `{key}`."
    )


def _after_answer(memory: Memory, seen: Observation) -> tuple[Memory, ProcessIterationResponse]:
    calls = [part.tool_call for part in seen.message.parts if part.HasField("tool_call")]
    if calls:
        actions = [
            Action(id=f"tool-{memory.asked}-{number}", tool_call=call) for number, call in enumerate(calls, 1)
        ]
        return asked_for(memory, calls), ProcessIterationResponse(success=True, actions=actions)
    note = CUT_OFF.get(seen.finish_reason, "" if _says_something(seen.message) else EMPTY)
    return memory, ProcessIterationResponse(success=True, done=True, finalized=True, result=note)


def _says_something(answer: Message) -> bool:
    return any(
        part.text.strip() or part.HasField("blob") or part.HasField("data_json") for part in answer.parts
    )
