"""Models that plugins provide, where they do what the contract does not have."""

import logging
from collections.abc import AsyncIterator

import pytest

from hector.llm.v1 import (
    LLMProviderServicer,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
    add_LLMProviderServicer_to_server,
)
from hector_config.plugin_word import PluginWord
from hector_llm.config import LLMConfig
from hector_llm.plugin import PluginModel
from hector_mesh import LocalChannel, LocalServer, Mesh, streaming

HELLO, DONE = StreamTextResponse(text="hello"), StreamTextResponse(done=True)


class Streaming(LLMProviderServicer):
    """Says what a test wants."""

    def __init__(self, *pieces: StreamTextResponse) -> None:
        self._pieces = pieces

    async def StreamText(self, request, context) -> AsyncIterator[StreamTextResponse]:
        for piece in self._pieces:
            yield piece


async def heard(mesh_under_test, *pieces: StreamTextResponse) -> list[StreamTextResponse]:
    server = LocalServer()
    add_LLMProviderServicer_to_server(Streaming(*pieces), server)
    mesh = Mesh({}, plugins={"p": LocalChannel(server)})
    model = PluginModel("m", LLMConfig(provider="plugin:p"), PluginWord("p"), mesh)
    await mesh_under_test.serve(lambda server: add_LLMProviderServicer_to_server(model, server))
    stub = LLMProviderStub(mesh_under_test.mesh)
    async with streaming(stub.StreamText(StreamTextRequest(prompt="hi"), timeout=5)) as answer:
        found = [piece async for piece in answer]
    await server.stop(0)
    return found


@pytest.mark.parametrize("late", [DONE, HELLO, StreamTextResponse(error="too late")])
async def test_what_a_model_says_after_the_end_of_its_answer_is_left_out_with_a_warning(
    mesh_under_test, caplog, late
) -> None:
    with caplog.at_level(logging.WARNING, "hector_llm"):
        assert await heard(mesh_under_test, HELLO, DONE, late, late) == [HELLO, DONE]
    (record,) = [one for one in caplog.records if one.name.startswith("hector_llm")]
    assert record.message == "model went on after the end of its answer"
    assert (vars(record)["plugin"], vars(record)["llm"]) == ("p", "m")


async def test_an_answer_that_ends_as_it_should_is_no_reason_to_warn(mesh_under_test, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        assert await heard(mesh_under_test, HELLO, DONE) == [HELLO, DONE]
    assert not caplog.records
