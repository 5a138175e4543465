"""A function as a reasoning strategy: `@reasoning`."""

import dataclasses
import json
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from hector.reasoning.v1 import (
    Action,
    FinalizeRequest,
    FinalizeResponse,
    InitializeRequest,
    InitializeResponse,
    ProcessIterationRequest,
    ProcessIterationResponse,
    ReasoningStrategyServicer,
    State,
)
from hector_mesh import Context

from ._json_schema import problems
from ._parts import Servable
from ._registry import declare
from ._types import schema_of, value_of, written
from .errors import StateUnreadable

Decides = Callable[[Any, ProcessIterationRequest], Any]
JSON = "application/json"


class Strategy(Servable):
    """A function that decides, and what it remembers."""

    def __init__(self, decides: Decides, memory: type, version: int) -> None:
        self._decides, self._memory, self._version = decides, memory, version
        self._begins: Callable[[InitializeRequest], Any] | None = None
        self._ends: Callable[[Any, bool], str | Awaitable[str]] | None = None

    def __call__(self, memory: Any, request: ProcessIterationRequest) -> Any:
        return self._decides(memory, request)

    def begins(self, function: Callable[[InitializeRequest], Any]) -> Callable[[InitializeRequest], Any]:
        """Use a function that returns the first memory; without one it is `Memory()`."""
        self._begins = function
        return function

    def ends(self, function: Callable[[Any, bool], Any]) -> Callable[[Any, bool], Any]:
        """Use a function of memory and `truncated` that returns text to add to the answer."""
        self._ends = function
        return function

    def servicer(self) -> ReasoningStrategyServicer:
        return _Servicer(self._decides, self._memory, self._version, self._begins, self._ends)


def reasoning(memory: type, *, version: int = 1) -> Callable[[Decides], Strategy]:
    """Make a function a reasoning strategy: it decides what the agent does next, and does nothing itself.

    It gets its memory and a ProcessIterationRequest. It changes the memory, and returns a list of Actions, or
    a text to end the run with ("" adds nothing), or a ProcessIterationResponse, whose state is filled in.

    Args:
        memory: A dataclass: what is remembered between two iterations. Nothing else is; the next call may
            reach another process.
        version: Raise it when the dataclass changes: memories of other versions are not read.
    """
    if not dataclasses.is_dataclass(memory):
        raise TypeError("give @reasoning the dataclass that it remembers: @reasoning(Memory)")
    return lambda decides: declare(Strategy(decides, memory, version))


class _Servicer(ReasoningStrategyServicer):
    def __init__(self, decides: Decides, memory: type, version: int, begins: Any, ends: Any) -> None:
        self._decides, self._memory, self._version = decides, memory, version
        self._begins, self._ends = begins, ends
        self._schema = schema_of(memory, memory.__name__)

    async def Initialize(self, request: InitializeRequest, context: Context) -> InitializeResponse:
        memory = await _awaited(self._begins(request) if self._begins else self._memory())
        return InitializeResponse(success=True, state=self._written(memory))

    async def ProcessIteration(
        self, request: ProcessIterationRequest, context: Context
    ) -> ProcessIterationResponse:
        memory = self._read(request.state)
        decided = await _awaited(self._decides(memory, request))
        if isinstance(decided, Action):
            decided = [decided]
        if isinstance(decided, ProcessIterationResponse):
            response = decided
        elif isinstance(decided, list) and decided:
            response = ProcessIterationResponse(actions=decided)
        else:
            response = ProcessIterationResponse(done=True, finalized=True, result=decided or "")
        response.success = not response.error
        response.state.CopyFrom(self._written(memory))
        return response

    async def Finalize(self, request: FinalizeRequest, context: Context) -> FinalizeResponse:
        memory = self._read(request.state)
        text = await _awaited(self._ends(memory, request.truncated)) if self._ends else ""
        return FinalizeResponse(success=True, result=text)

    def _written(self, memory: Any) -> State:
        data = written(memory, separators=(",", ":")).encode()
        return State(data=data, content_type=JSON, version=self._version)

    def _read(self, state: State) -> Any:
        if state.version != self._version:
            found, only = state.version, self._version
            raise StateUnreadable(f"found a state of version {found}, this strategy reads version {only}")
        try:
            remembered = json.loads(state.data)
        except (ValueError, RecursionError):
            raise StateUnreadable("the state is no JSON") from None
        if wrong := problems(remembered, self._schema):
            raise StateUnreadable(f"the state is none of this strategy: {wrong[0]}")
        try:
            return value_of(self._memory, remembered)
        except (ValueError, OverflowError) as error:
            raise StateUnreadable(f"the state is none of this strategy: {error}") from None


async def _awaited(value: Any) -> Any:
    return await value if isawaitable(value) else value
