"""What every reasoning strategy must do, whoever wrote it."""

import asyncio
from collections.abc import Callable

import grpc
import pytest
from grpc import StatusCode

from hector.common.v1 import ROLE_ASSISTANT, ROLE_USER, Message, Part, Tool, ToolCall, ToolResult
from hector.llm.v1 import FINISH_REASON_STOP, FINISH_REASON_TOOL_CALLS
from hector.reasoning.v1 import (
    Action,
    FinalizeRequest,
    InitializeRequest,
    Observation,
    ProcessIterationRequest,
    ProcessIterationResponse,
    ReasoningStrategyStub,
    State,
)
from hector_mesh import info_of

Model = Callable[[int], Message]
"""A scripted model: its turn by the number of the question, from 1."""

MIB = 1 << 20


def says(text: str) -> Message:
    return Message(role=ROLE_ASSISTANT, parts=[Part(text=text)])


def wants(*calls: ToolCall) -> Message:
    return Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=call) for call in calls])


def never_stops(question: int) -> Message:
    return wants(ToolCall(id=f"c{question}", name="look", arguments_json="{}"))


class Played:
    """One run, played as the agent service plays it; `strategy()` is asked anew for each call."""

    def __init__(self, strategy: Callable[[], ReasoningStrategyStub], model: Model, limit: int = 0) -> None:
        self._strategy = strategy
        self._model = model
        self._limit = limit
        self.asked = 0
        self.truncated = False
        self.decisions: list[ProcessIterationResponse] = []
        self.largest_state = 0
        self.conclusion = ""

    @property
    def actions(self) -> list[Action]:
        return [action for decision in self.decisions for action in decision.actions]

    async def play(self) -> "Played":
        begun = await self._strategy().Initialize(
            InitializeRequest(
                max_iterations=self._limit, tools=[Tool(name="look", description="Looks.")], run="r1"
            )
        )
        assert not begun.error
        state = begun.state
        request = ProcessIterationRequest(input=[Message(role=ROLE_USER, parts=[Part(text="hello")])])
        for iteration in range(1, 200):
            self.largest_state = max(self.largest_state, len(state.data))
            request.state.CopyFrom(state)
            request.iteration = iteration
            request.remaining_iterations = max(0, self._limit - self.asked)
            decision = await self._strategy().ProcessIteration(request)
            assert not decision.error
            if iteration == 1 and begun.HasField("first"):
                assert begun.first == decision, "what is decided in advance is what would be decided"
            self.decisions.append(decision)
            state = decision.state
            if decision.done:
                break
            assert decision.actions, "neither done nor anything to do"
            asks = sum(action.HasField("ask") for action in decision.actions)
            if self._limit and self.asked + asks > self._limit:
                self.truncated = True
                break
            request = ProcessIterationRequest(
                observations=[self._seen(action) for action in decision.actions]
            )
        else:
            raise AssertionError("the run did not end")
        if self.truncated or not self.decisions[-1].finalized:
            end = await self._strategy().Finalize(FinalizeRequest(state=state, truncated=self.truncated))
            assert not end.error
            self.conclusion = end.result
        return self

    def _seen(self, action: Action) -> Observation:
        if action.HasField("ask"):
            self.asked += 1
            turn = self._model(self.asked)
            wanted = any(part.HasField("tool_call") for part in turn.parts)
            reason = FINISH_REASON_TOOL_CALLS if wanted else FINISH_REASON_STOP
            return Observation(action_id=action.id, message=turn, finish_reason=reason)
        if action.HasField("tool_call"):
            call = action.tool_call
            result = ToolResult(tool_call_id=call.id, name=call.name, parts=[Part(text=f"seen {self.asked}")])
            return Observation(action_id=action.id, tool_result=result)
        return Observation(action_id=action.id, message=says("from somebody else"))


class ReasoningStrategySuite:
    """Subclass it, provide the fixture `reasoning`, and all of this runs."""

    async def test_a_model_that_wants_nothing_ends_the_run(self, reasoning: ReasoningStrategyStub) -> None:
        """Contract: `done` comes without actions."""
        async with asyncio.timeout(10):
            run = await Played(lambda: reasoning, lambda _: says("done")).play()
        assert run.asked >= 1
        assert run.decisions[-1].done
        assert not run.decisions[-1].actions

    async def test_every_tool_call_of_a_turn_is_made_as_the_model_wrote_it(
        self, reasoning: ReasoningStrategyStub
    ) -> None:
        """Contract: malformed arguments too; whoever runs the tool says what is wrong with them."""
        calls = [
            ToolCall(id="a", name="look", arguments_json='{"at": 1}'),
            ToolCall(id="b", name="look", arguments_json="{not json"),
            ToolCall(id="c", name="no_such_tool", arguments_json=""),
        ]
        async with asyncio.timeout(10):
            run = await Played(lambda: reasoning, lambda n: wants(*calls) if n == 1 else says("done")).play()
        assert [action.tool_call for action in run.actions if action.HasField("tool_call")] == calls

    async def test_ids_of_actions_are_unique_within_a_run(self, reasoning: ReasoningStrategyStub) -> None:
        """Contract: also when the model gives all its calls the same id."""

        def model(question: int) -> Message:
            again = ToolCall(id="call_0", name="look", arguments_json="{}")
            return wants(again, again) if question < 5 else says("done")

        async with asyncio.timeout(10):
            run = await Played(lambda: reasoning, model).play()
        ids = [action.id for action in run.actions]
        assert all(ids)
        assert len(ids) == len(set(ids))

    async def test_a_limit_is_kept_and_the_end_says_so(self, reasoning: ReasoningStrategyStub) -> None:
        """Contract: Finalize(truncated) leaves no silence."""
        async with asyncio.timeout(10):
            run = await Played(lambda: reasoning, never_stops, limit=3).play()
        assert run.asked <= 3
        assert run.conclusion or run.decisions[-1].result

    async def test_state_stays_below_a_mebibyte(self, reasoning: ReasoningStrategyStub) -> None:
        """Contract: State.data."""
        async with asyncio.timeout(10):
            run = await Played(lambda: reasoning, never_stops, limit=50).play()
        assert run.largest_state <= MIB

    async def test_the_same_state_and_the_same_news_lead_to_the_same_decision(
        self, reasoning: ReasoningStrategyStub
    ) -> None:
        """Contract: after a crash the agent asks again with the state that it saved."""
        async with asyncio.timeout(10):
            begun = await reasoning.Initialize(InitializeRequest(run="r1"))
            request = ProcessIterationRequest(
                state=begun.state, input=[Message(role=ROLE_USER, parts=[Part(text="hi")])], iteration=1
            )
            first = await reasoning.ProcessIteration(request)
            again = await reasoning.ProcessIteration(request)
        assert list(first.actions) == list(again.actions)
        assert first.done == again.done

    async def test_a_beginning_that_may_be_used_again_is_the_same_for_every_run(
        self, reasoning: ReasoningStrategyStub
    ) -> None:
        """Contract: InitializeResponse.reusable."""
        async with asyncio.timeout(10):
            one = await reasoning.Initialize(InitializeRequest(max_iterations=3, run="r1"))
            other = await reasoning.Initialize(
                InitializeRequest(max_iterations=3, run="r2", history_length=7)
            )
        assert one.reusable == other.reusable
        assert not one.reusable or one == other

    @pytest.mark.parametrize("rpc", ["ProcessIteration", "Finalize"])
    async def test_a_state_of_another_version_is_unreadable(
        self, reasoning: ReasoningStrategyStub, rpc: str
    ) -> None:
        """Contract: the agent initialises again on FAILED_PRECONDITION, STATE_UNREADABLE."""
        begun = await reasoning.Initialize(InitializeRequest(run="r1"))
        state = State(data=begun.state.data, version=begun.state.version + 1000)
        call = (
            reasoning.Finalize(FinalizeRequest(state=state), timeout=10)
            if rpc == "Finalize"
            else reasoning.ProcessIteration(ProcessIterationRequest(state=state), timeout=10)
        )
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call
        assert failed.value.code() is StatusCode.FAILED_PRECONDITION
        assert info_of(failed.value).reason == "STATE_UNREADABLE"
