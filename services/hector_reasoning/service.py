"""Serves the strategies: reads the state, lets the strategy decide, writes the state."""

from collections.abc import Sequence

from hector.reasoning.v1 import (
    FinalizeRequest,
    FinalizeResponse,
    InitializeRequest,
    InitializeResponse,
    Observation,
    ProcessIterationRequest,
    ProcessIterationResponse,
    ReasoningStrategyServicer,
)
from hector_mesh import Context, current_call
from hector_reasoning.errors import StateUnreadable
from hector_reasoning.state import Memory, read, written
from hector_reasoning.strategies import STRATEGIES, Strategy, chosen


class ReasoningServicer(ReasoningStrategyServicer):
    """Keeps nothing between two calls: any process may answer any of them."""

    async def Initialize(self, request: InitializeRequest, context: Context) -> InitializeResponse:
        memory = Memory(chosen(request.options_json), limit=request.max_iterations)
        first = _decided(memory, ())
        return InitializeResponse(success=True, state=written(memory), first=first, reusable=True)

    async def ProcessIteration(
        self, request: ProcessIterationRequest, context: Context
    ) -> ProcessIterationResponse:
        return _decided(read(request.state), request.observations)

    async def Finalize(self, request: FinalizeRequest, context: Context) -> FinalizeResponse:
        memory = read(request.state)
        agent = current_call.get().instance
        said = _strategy(memory).conclude(memory, agent, truncated=request.truncated)
        return FinalizeResponse(success=True, result=said)


def _decided(memory: Memory, observations: Sequence[Observation]) -> ProcessIterationResponse:
    memory, decision = _strategy(memory).decide(memory, observations)
    decision.state.CopyFrom(written(memory))
    return decision


def _strategy(memory: Memory) -> Strategy:
    try:
        return STRATEGIES[memory.strategy]
    except KeyError:
        raise StateUnreadable(f"it belongs to strategy {memory.strategy!r}, which is not here") from None
