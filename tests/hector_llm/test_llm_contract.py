"""The built-in providers keep the contract."""

import json
from collections.abc import AsyncIterator

import pytest
from contracts.llm_provider import LLMProviderSuite
from support import model_server
from support.scripted_server import Line, Received, Reply, scripted, whole

from hector.llm.v1 import LLMProviderStub
from hector_llm import LLMConfig


class TestOpenAI(LLMProviderSuite):
    """Against a server that speaks chat completions, on both transports."""

    @pytest.fixture
    async def llm(self, serve_models) -> AsyncIterator[LLMProviderStub]:
        async with scripted(by_request) as server:
            yield await serve_models(mock=LLMConfig(base_url=f"{server.url}/v1", model="m"))


class TestLocal(LLMProviderSuite):
    """The offline model, on both transports."""

    @pytest.fixture
    async def llm(self, serve_models) -> LLMProviderStub:
        return await serve_models(offline=LLMConfig(provider="local"))


async def by_request(received: Received, line: Line) -> None:
    """Answer as a model would that does what it must and no more."""
    await _reply(received)(received, line)


def _reply(received: Received) -> Reply:
    if received.path == "/v1/models":
        return whole({"object": "list", "data": [{"id": "m", "object": "model"}]})
    asked = received.json
    if asked.get("tool_choice") == "required":
        return model_server.calls(("call_a", "search", json.dumps({"query": "hector"})))
    if "response_format" in asked:
        return model_server.says('{"colour": "green", "count": 3}')
    return model_server.says("Hello, I am a model of few words.")
