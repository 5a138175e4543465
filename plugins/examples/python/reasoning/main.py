"""A strategy that asks the model once, has the tools called that it wants, and finishes."""

from dataclasses import dataclass
from typing import Annotated

from hector.reasoning.v1 import Action, Ask, Observation, ProcessIterationRequest
from hector_plugin import reasoning, serve
from hector_plugin.errors import AskFailed


@dataclass
class Memory:
    step: Annotated[int, {"minimum": 0, "maximum": 2}] = 0


@reasoning(Memory)
def one_shot(memory: Memory, request: ProcessIterationRequest) -> list[Action] | str:
    if memory.step == 0:
        memory.step = 1
        return [Action(id="ask-1", ask=Ask())]
    if memory.step == 1:
        seen = request.observations[0] if request.observations else Observation()
        if seen.error:
            raise AskFailed(seen.error)
        calls = [part.tool_call for part in seen.message.parts if part.HasField("tool_call")]
        if calls:
            memory.step = 2
        return [Action(id=f"tool-{number}", tool_call=call) for number, call in enumerate(calls, 1)] or ""
    return "\n".join(text for seen in request.observations for text in texts_of(seen))


@one_shot.ends
def ends(memory: Memory, truncated: bool) -> str:
    return "The limit was reached before the answer was complete." if truncated else ""


def texts_of(seen: Observation) -> list[str]:
    said = [part.text for part in seen.tool_result.parts if part.HasField("text")]
    return [seen.error] if seen.error else said


if __name__ == "__main__":
    serve(name="example-reasoning", version="1.0.0")
