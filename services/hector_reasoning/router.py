"""Picks who decides: a strategy of this version, or the plugin that an agent names."""

import orjson

from hector.reasoning.v1 import (
    FinalizeRequest,
    FinalizeResponse,
    InitializeRequest,
    InitializeResponse,
    ProcessIterationRequest,
    ProcessIterationResponse,
    ReasoningStrategyServicer,
    ReasoningStrategyStub,
    State,
)
from hector_config.plugin_word import PREFIX, plugin_word
from hector_mesh import Context, Mesh, current_call
from hector_reasoning.errors import PluginStateTooLarge
from hector_reasoning.service import ReasoningServicer

STATE_BYTES = 1 << 20
"""Most that a strategy may remember: it travels with every call, and is written at every step."""
_SEPARATOR = "\n"


class ReasoningRouter(ReasoningStrategyServicer):
    """Keeps nothing between two calls: a state says whose it is.

    So a run that began with a plugin goes on with it, whatever the config says meanwhile.
    """

    def __init__(self, mesh: Mesh) -> None:
        self._mesh, self._own = mesh, ReasoningServicer()
        self._stubs: dict[tuple[str, str], ReasoningStrategyStub] = {}

    async def Initialize(self, request: InitializeRequest, context: Context) -> InitializeResponse:
        word = _strategy(request.options_json)
        if not word.startswith(PREFIX):
            return await self._own.Initialize(request, context)
        request.options_json = _without_strategy(request.options_json)
        answer = await self._plugin(word).Initialize(request)
        _sign(answer.state, word)
        if answer.HasField("first"):
            _sign(answer.first.state, word)
        return answer

    async def ProcessIteration(
        self, request: ProcessIterationRequest, context: Context
    ) -> ProcessIterationResponse:
        word = _signed(request.state)
        if not word:
            return await self._own.ProcessIteration(request, context)
        answer = await self._plugin(word).ProcessIteration(request)
        _sign(answer.state, word)
        return answer

    async def Finalize(self, request: FinalizeRequest, context: Context) -> FinalizeResponse:
        word = _signed(request.state)
        if not word:
            return await self._own.Finalize(request, context)
        return await self._plugin(word).Finalize(request)

    def _plugin(self, word: str) -> ReasoningStrategyStub:
        found, agent = plugin_word(word), current_call.get().instance
        assert found is not None
        key = found.plugin, agent
        if key not in self._stubs:
            self._stubs[key] = ReasoningStrategyStub(self._mesh.plugin(found.plugin, agent))
        return self._stubs[key]


def _strategy(options_json: str) -> str:
    """Return the strategy that options name; what is no JSON object is for the built-in ones to refuse."""
    if PREFIX not in options_json:
        return ""
    try:
        options = orjson.loads(options_json)
    except orjson.JSONDecodeError:
        return ""
    found = options.get("strategy") if isinstance(options, dict) else None
    return found if isinstance(found, str) else ""


def _without_strategy(options_json: str) -> str:
    options = orjson.loads(options_json)
    del options["strategy"]
    return orjson.dumps(options).decode()


def _sign(state: State, word: str) -> None:
    """Say in a plugin's state whose it is."""
    if len(state.data) > STATE_BYTES:
        raise PluginStateTooLarge(word, len(state.data), STATE_BYTES)
    state.content_type = f"{word}{_SEPARATOR}{state.content_type}"


def _signed(state: State) -> str:
    """Return whose a state is, "" for built-in strategies, and give it back as the plugin had written it."""
    word, separator, content_type = state.content_type.partition(_SEPARATOR)
    if not separator or not word.startswith(PREFIX):
        return ""
    state.content_type = content_type
    return word
