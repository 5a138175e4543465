"""Contract: what plugins/examples/README.md says of the reasoning strategy, in every language."""

import json
from collections.abc import Callable

import pytest
from grpc import StatusCode
from support.plugin_process import started
from support.refused import refusal

from hector.common.v1 import ROLE_ASSISTANT, Message, Part, ToolCall, ToolResult
from hector.plugin.v1 import PLUGIN_KIND_REASONING_STRATEGY, GetInfoRequest, PluginStub
from hector.reasoning.v1 import (
    Action,
    Ask,
    FinalizeRequest,
    InitializeRequest,
    Observation,
    ProcessIterationRequest,
    ProcessIterationResponse,
    ReasoningStrategyStub,
    State,
)

pytestmark = pytest.mark.timeout(1300)
"""Whoever comes first may have to build."""

Example = Callable[[str], tuple[str, ...]]

CALLS = [ToolCall(id="x", name="upper", arguments_json="{"), ToolCall(id="y", name="wait")]
TURN = Message(
    role=ROLE_ASSISTANT,
    parts=[Part(text="Let me see."), *(Part(tool_call=call) for call in CALLS)],
)


def at(step: int) -> State:
    data = json.dumps({"step": step}).encode()
    return State(data=data, content_type="application/json", version=1)


def step_of(state: State) -> int:
    assert (state.content_type, state.version) == ("application/json", 1)
    (name,) = (kept := json.loads(state.data))
    assert name == "step"
    return int(kept[name])


def finished(response: ProcessIterationResponse) -> tuple[int, str]:
    """Give the step that a run ended at, and what it says at its end."""
    assert (response.success, response.done, response.finalized) == (True, True, True)
    assert list(response.actions) == []
    return step_of(response.state), response.result


async def test_the_plugin_says_what_it_is(example: Example) -> None:
    async with started(example("reasoning")) as plugin:
        info = await PluginStub(plugin.channel).GetInfo(GetInfoRequest())
    assert (info.name, info.version) == ("example-reasoning", "1.0.0")
    (component,) = info.components
    assert component.kind == PLUGIN_KIND_REASONING_STRATEGY
    assert sorted(component.rpcs) == ["Finalize", "Initialize", "ProcessIteration"]


async def test_a_run_asks_once_has_tools_called_and_finishes(example: Example) -> None:
    async with started(example("reasoning")) as plugin:
        stub = ReasoningStrategyStub(plugin.channel)
        begun = await stub.Initialize(InitializeRequest(max_iterations=5))
        assert (begun.success, step_of(begun.state)) == (True, 0)
        first = await stub.ProcessIteration(ProcessIterationRequest(state=begun.state, iteration=1))
        assert list(first.actions) == [Action(id="ask-1", ask=Ask())]
        assert (first.success, first.done, step_of(first.state)) == (True, False, 1)
        seen = Observation(action_id="ask-1", message=TURN)
        second = await stub.ProcessIteration(ProcessIterationRequest(state=first.state, observations=[seen]))
        assert [action.id for action in second.actions] == ["tool-1", "tool-2"]
        assert [action.tool_call for action in second.actions] == CALLS
        assert (second.done, step_of(second.state)) == (False, 2)
        results = [
            Observation(tool_result=ToolResult(parts=[Part(text="A"), Part(data_json="1"), Part(text="B")])),
            Observation(error="it broke"),
            Observation(message=TURN),
        ]
        last = await stub.ProcessIteration(ProcessIterationRequest(state=second.state, observations=results))
    assert finished(last) == (2, "A\nB\nit broke")


@pytest.mark.parametrize(
    "seen",
    [[], [Observation()], [Observation(message=Message(role=ROLE_ASSISTANT, parts=[Part(text="Hello.")]))]],
    ids=["nothing", "unknown", "text"],
)
async def test_an_answer_without_calls_is_the_end(example: Example, seen: list[Observation]) -> None:
    async with started(example("reasoning")) as plugin:
        stub = ReasoningStrategyStub(plugin.channel)
        end = await stub.ProcessIteration(ProcessIterationRequest(state=at(1), observations=seen))
    assert finished(end) == (1, "")


async def test_what_it_cannot_go_on_with_is_refused(example: Example) -> None:
    unreadable = [State(), at(3), at(-1), State(data=at(0).data, version=2), State(data=b"\xff{", version=1)]
    async with started(example("reasoning")) as plugin:
        stub = ReasoningStrategyStub(plugin.channel)
        failed = ProcessIterationRequest(state=at(1), observations=[Observation(error="no such model")])
        why = await refusal(stub.ProcessIteration(failed))
        assert (why.code, why.reason, why.message) == (StatusCode.ABORTED, "ASK_FAILED", "no such model")
        for state in unreadable:
            for call in (
                stub.ProcessIteration(ProcessIterationRequest(state=state)),
                stub.Finalize(FinalizeRequest(state=state)),
            ):
                why = await refusal(call)
                assert (why.code, why.reason) == (StatusCode.FAILED_PRECONDITION, "STATE_UNREADABLE")


async def test_a_run_that_was_cut_short_says_so(example: Example) -> None:
    async with started(example("reasoning")) as plugin:
        stub = ReasoningStrategyStub(plugin.channel)
        cut = await stub.Finalize(FinalizeRequest(state=at(1), truncated=True))
        whole = await stub.Finalize(FinalizeRequest(state=at(2)))
    assert (cut.success, cut.result) == (True, "The limit was reached before the answer was complete.")
    assert (whole.success, whole.result) == (True, "")
