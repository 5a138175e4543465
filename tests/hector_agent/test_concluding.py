"""Contract: hector.reasoning.v1, Ask.may_conclude."""

import pytest

from hector.common.v1 import ROLE_ASSISTANT, Message, Part, ToolCall
from hector.llm.v1 import FINISH_REASON_LENGTH, FINISH_REASON_STOP
from hector.reasoning.v1 import Action, Ask, Observation
from hector_agent.concluding import concludes

ANSWER = Part(text="The answer.")


def seen(*parts, reason=FINISH_REASON_STOP):
    return Observation(message=Message(role=ROLE_ASSISTANT, parts=parts), finish_reason=reason)


def ask(**fields):
    return Action(id="ask-1", ask=Ask(**fields))


def test_a_turn_that_says_something_and_wants_nothing_ends_the_run():
    assert concludes([ask(may_conclude=True)], [seen(ANSWER)])


@pytest.mark.parametrize(
    ("actions", "observation"),
    [
        ([ask()], seen(ANSWER)),
        ([ask(may_conclude=True, hidden=True)], seen(ANSWER)),
        ([ask(may_conclude=True), ask(may_conclude=True)], seen(ANSWER)),
        ([Action(id="tool-1", tool_call=ToolCall(name="look"))], seen(ANSWER)),
        ([ask(may_conclude=True)], seen(ANSWER, Part(tool_call=ToolCall(name="look")))),
        ([ask(may_conclude=True)], seen(ANSWER, reason=FINISH_REASON_LENGTH)),
        ([ask(may_conclude=True)], seen(Part(text=" \n"))),
        ([ask(may_conclude=True)], seen()),
        ([ask(may_conclude=True)], Observation(error="the model is away")),
    ],
    ids=["unasked", "hidden", "one of two", "no question", "tools", "cut off", "blank", "empty", "failed"],
)
def test_anything_else_is_for_the_strategy_to_judge(actions, observation):
    assert not concludes(actions, [observation] * len(actions))
