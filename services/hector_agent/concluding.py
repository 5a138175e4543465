"""Whether a model's turn is the answer, where the strategy has said in advance that it may be."""

from collections.abc import Sequence

from hector.common.v1 import Message
from hector.llm.v1 import FINISH_REASON_STOP
from hector.reasoning.v1 import Action, Observation


def concludes(actions: Sequence[Action], observations: Sequence[Observation]) -> bool:
    """Return whether what came of these actions ends the run; the contract of `Ask.may_conclude` says when.

    It saves a call of the strategy per answer: a fifth of all calls where the strategy is another process.
    """
    if len(actions) != 1 or not actions[0].ask.may_conclude or actions[0].ask.hidden:
        return False
    seen = observations[0]
    return seen.finish_reason == FINISH_REASON_STOP and _answers(seen.message)


def _answers(turn: Message) -> bool:
    says = False
    for part in turn.parts:
        if part.HasField("tool_call"):
            return False
        says = says or bool(part.text.strip()) or part.HasField("blob") or part.HasField("data_json")
    return says
