"""Which model a call is for."""

import grpc
import pytest

from hector.llm.v1 import GenerateTextRequest, ListModelsRequest, LLMProviderStub, StreamTextRequest
from hector_llm import LLMConfig
from hector_mesh import info_of

LOCAL = LLMConfig(provider="local")


async def test_an_instance_that_is_not_configured_is_answered_with_those_that_are(
    serve_models, mesh_under_test
) -> None:
    await serve_models(fast=LOCAL, slow=LOCAL)
    llm = LLMProviderStub(mesh_under_test.mesh.at("llms.quick"))
    for call in (
        lambda: llm.GenerateText(GenerateTextRequest(prompt="hi"), timeout=10),
        lambda: llm.ListModels(ListModelsRequest(), timeout=10),
        lambda: first(llm.StreamText(StreamTextRequest(prompt="hi"), timeout=10)),
    ):
        with pytest.raises(grpc.aio.AioRpcError, match=r"llms\.fast, llms\.slow") as failed:
            await call()
        assert failed.value.code() is grpc.StatusCode.NOT_FOUND
        assert info_of(failed.value).reason == "MODEL_NOT_FOUND"


async def test_a_call_that_names_none_means_the_default(serve_models, mesh_under_test) -> None:
    await serve_models(default=LOCAL, other=LLMConfig(base_url="http://127.0.0.1:1"))
    llm = LLMProviderStub(mesh_under_test.mesh)
    assert (await llm.GenerateText(GenerateTextRequest(prompt="hi"), timeout=10)).text


async def test_a_call_that_names_none_means_the_only_one(serve_models, mesh_under_test) -> None:
    await serve_models(only=LOCAL)
    llm = LLMProviderStub(mesh_under_test.mesh)
    assert (await llm.GenerateText(GenerateTextRequest(prompt="hi"), timeout=10)).text


async def test_without_models_the_error_says_that_there_are_none(serve_models, mesh_under_test) -> None:
    await serve_models()
    llm = LLMProviderStub(mesh_under_test.mesh)
    with pytest.raises(grpc.aio.AioRpcError, match="configured: none"):
        await llm.GenerateText(GenerateTextRequest(prompt="hi"), timeout=10)


async def first(stream):
    async for message in stream:
        return message
