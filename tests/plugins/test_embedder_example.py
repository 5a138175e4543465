"""Contract: what plugins/examples/README.md says of the embedder plugin, in every language."""

import hashlib
import math
import struct
from collections.abc import Callable

import pytest
from grpc import StatusCode
from support.plugin_process import started
from support.refused import refusal

from hector.common.v1 import TokenUsage
from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedderProviderStub,
    EmbedTextRequest,
    GetDimensionsRequest,
    GetDimensionsResponse,
)
from hector.plugin.v1 import PLUGIN_KIND_EMBEDDER_PROVIDER, GetInfoRequest, PluginStub

pytestmark = pytest.mark.timeout(1300)
"""Whoever comes first may have to build."""

Example = Callable[[str], tuple[str, ...]]

PRINTED = {
    "hello": "7fa1d2bec8e123be78f2e1bed9d4b03ef3ecffbee957f4bec4b583bd3046c63d",
    "Hello, world!": "b81019bf090e8fbda94405bfc28bc1beb41470be66f17fbd27378cbedf7899be",
    "日本語": "d3664dbd46ecd53e2c6edcbe4e18eabd730e903cc56cb93edde803bf2f38f4be",
}


def numbers(vector_f32: bytes) -> tuple[float, ...]:
    return struct.unpack("<8f", vector_f32)


def expected(text: str) -> tuple[float, ...]:
    digest = struct.unpack(">8I", hashlib.sha256(text.encode()).digest())
    raw = [number / 2**32 - 0.5 for number in digest]
    return tuple(number / math.hypot(*raw) for number in raw)


async def test_the_plugin_says_what_it_is(example: Example) -> None:
    async with started(example("embedder")) as plugin:
        info = await PluginStub(plugin.channel).GetInfo(GetInfoRequest())
        of_itself = await EmbedderProviderStub(plugin.channel).GetDimensions(GetDimensionsRequest())
    assert (info.name, info.version) == ("example-embedder", "1.0.0")
    (component,) = info.components
    assert component.kind == PLUGIN_KIND_EMBEDDER_PROVIDER
    assert sorted(component.rpcs) == ["EmbedBatch", "EmbedText", "GetDimensions"]
    assert of_itself == GetDimensionsResponse(
        dimensions=8, max_batch=128, normalized=True, fingerprint="sha256-8"
    )


async def test_a_text_has_the_vector_that_the_page_prints(example: Example) -> None:
    async with started(example("embedder")) as plugin:
        stub = EmbedderProviderStub(plugin.channel)
        for text, vector in PRINTED.items():
            answer = await stub.EmbedText(EmbedTextRequest(text=text, dimensions=8))
            assert numbers(answer.vector_f32) == pytest.approx(numbers(bytes.fromhex(vector)), abs=1e-6)
            assert (answer.success, list(answer.vector)) == (True, [])
            words = len(text.split())
            assert answer.usage == TokenUsage(prompt_tokens=words, total_tokens=words)


async def test_a_batch_has_the_vectors_of_its_texts_in_order(example: Example) -> None:
    texts = [f"text {number}" for number in range(128)]
    async with started(example("embedder")) as plugin:
        stub = EmbedderProviderStub(plugin.channel)
        answer = await stub.EmbedBatch(EmbedBatchRequest(texts=texts, model="hash"))
        none = await stub.EmbedBatch(EmbedBatchRequest())
    assert [numbers(one.vector_f32) for one in answer.embeddings] == [
        pytest.approx(expected(text), abs=1e-6) for text in texts
    ]
    assert answer.usage == TokenUsage(prompt_tokens=256, total_tokens=256)
    assert (none.success, list(none.embeddings)) == (True, [])


async def test_what_has_no_vector_is_refused(example: Example) -> None:
    async with started(example("embedder")) as plugin:
        stub = EmbedderProviderStub(plugin.channel)
        for call in (
            stub.EmbedText(EmbedTextRequest(text="a", model="other")),
            stub.EmbedBatch(EmbedBatchRequest(texts=["a"], model="other")),
            stub.GetDimensions(GetDimensionsRequest(model="other")),
        ):
            why = await refusal(call)
            assert (why.code, why.reason) == (StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
        for call, names in (
            (stub.EmbedText(EmbedTextRequest(text=" \n")), ""),
            (stub.EmbedText(EmbedTextRequest()), ""),
            (stub.EmbedText(EmbedTextRequest(text="a", dimensions=9)), "9"),
            (stub.EmbedBatch(EmbedBatchRequest(texts=["a", "\t"])), "texts[1]"),
            (stub.EmbedBatch(EmbedBatchRequest(texts=["a"] * 129)), "128"),
        ):
            why = await refusal(call)
            assert (why.code, why.reason) == (StatusCode.INVALID_ARGUMENT, "EMBEDDING_REFUSED")
            assert names in why.message
