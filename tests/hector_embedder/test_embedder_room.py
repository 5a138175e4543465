"""What the room does beyond the contract: choice of an embedder, refusals, and vectors that never change."""

import hashlib
import struct

import grpc
import pytest
from grpc import StatusCode
from pydantic import ValidationError

from hector.common.v1 import Blob
from hector.embedder.v1 import (
    EmbedderProviderServicer,
    EmbedderProviderStub,
    EmbedTextRequest,
    GetDimensionsRequest,
    GetDimensionsResponse,
    add_EmbedderProviderServicer_to_server,
)
from hector_embedder import EmbedderSection, build
from hector_embedder.features import VERSION, words_of
from hector_embedder.local import LONGEST_TEXT, vector_of
from hector_mesh import HectorError, LocalChannel, LocalServer, Mesh, info_of

COMPONENTS = {"open": "", "right": ":hash", "wrong": ":nothere"}


async def served(mesh_under_test, **embedders) -> None:
    section = EmbedderSection(embedders=embedders)
    await mesh_under_test.serve(build(section, mesh_under_test.mesh).register)


async def dimension(mesh_under_test, instance: str) -> int:
    stub = EmbedderProviderStub(mesh_under_test.mesh.at(instance))
    return (await stub.GetDimensions(GetDimensionsRequest(), timeout=5)).dimensions


async def test_the_instance_chooses_the_embedder(mesh_under_test) -> None:
    await served(mesh_under_test, a={"dimension": 64}, b={"dimension": 128})
    assert await dimension(mesh_under_test, "embedders.a") == 64
    assert await dimension(mesh_under_test, "embedders.b") == 128


async def test_the_only_embedder_is_the_default_one(mesh_under_test) -> None:
    await served(mesh_under_test, mine={"dimension": 64})
    assert await dimension(mesh_under_test, "embedders.default") == 64


async def test_without_any_there_is_the_offline_one(mesh_under_test) -> None:
    await served(mesh_under_test)
    assert await dimension(mesh_under_test, "embedders.default") == 512


async def test_an_unknown_embedder_is_not_found_and_the_known_ones_are_named(mesh_under_test) -> None:
    await served(mesh_under_test, a={}, b={})
    for instance in ("embedders.c", "embedders.default"):
        with pytest.raises(grpc.aio.AioRpcError, match="configured: a, b") as missing:
            await dimension(mesh_under_test, instance)
        assert missing.value.code() == StatusCode.NOT_FOUND
        assert info_of(missing.value).reason == "EMBEDDER_NOT_FOUND"


@pytest.mark.parametrize(
    "request_",
    [
        EmbedTextRequest(blob=Blob(media_type="image/png", data=b"x")),
        EmbedTextRequest(text="x", model="text-embedding-3-small"),
        EmbedTextRequest(text="x", dimensions=3),
        EmbedTextRequest(text=" "),
    ],
)
async def test_what_it_cannot_do_is_refused(mesh_under_test, request_: EmbedTextRequest) -> None:
    await served(mesh_under_test)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await EmbedderProviderStub(mesh_under_test.mesh).EmbedText(request_, timeout=5)
    assert refused.value.code() == StatusCode.INVALID_ARGUMENT


async def test_a_caller_may_choose_the_length(mesh_under_test) -> None:
    await served(mesh_under_test)
    answer = await EmbedderProviderStub(mesh_under_test.mesh).EmbedText(
        EmbedTextRequest(text="x" * 5000, dimensions=100), timeout=5
    )
    assert len(answer.vector_f32) == 400


def test_vectors_are_the_same_on_every_machine() -> None:
    """Ours: an index made elsewhere, or before, stays valid. Raise features.VERSION when this must change."""
    vector = struct.unpack("<64f", vector_of("How do I start Hector? maxFileSize, Größe 42", 64))
    # The last digits are the arithmetic's own business.
    found = hashlib.sha256(" ".join(f"{value + 0.0:.3f}" for value in vector).encode()).hexdigest()
    assert (VERSION, found[:16]) == (1, "aab28005da4fea27")


def test_case_and_spelling_variants_meet() -> None:
    assert words_of("maxFileSize GRÖSSE ﬁle") == ["max", "file", "size", "grösse", "file"]


def test_a_very_long_text_is_cut() -> None:
    same = "word " * (LONGEST_TEXT // 5)
    assert vector_of(same, 32) == vector_of(same + "and more that nobody reads", 32)


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("openai", "not available in this version"),
        ("opnai", "available: local"),
    ],
)
def test_providers_of_other_versions_are_named_as_such(provider: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EmbedderSection(embedders={"a": {"provider": provider}})


class OneModel(EmbedderProviderServicer):
    """A plugin with one model, as the SDKs serve it."""

    async def GetDimensions(self, request, context):
        if request.model not in ("", "hash"):
            raise NoSuchModel(f"there is no model {request.model!r} here; there is hash")
        return GetDimensionsResponse(dimensions=8)


class NoSuchModel(HectorError):
    code, reason = StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"


@pytest.fixture
async def plugin():
    server = LocalServer()
    add_EmbedderProviderServicer_to_server(OneModel(), server)
    yield LocalChannel(server)
    await server.stop(0)


async def test_the_model_that_an_entry_names_of_a_plugin_is_the_one_that_is_asked_for(
    mesh_under_test, plugin
) -> None:
    entries = {name: {"provider": f"plugin:p{word}"} for name, word in COMPONENTS.items()}
    section = EmbedderSection(embedders=entries)
    await mesh_under_test.serve(build(section, Mesh({}, plugins={"p": plugin})).register)
    assert await dimension(mesh_under_test, "embedders.open") == 8
    assert await dimension(mesh_under_test, "embedders.right") == 8
    with pytest.raises(grpc.aio.AioRpcError, match="there is no model 'nothere' here; there is hash"):
        await dimension(mesh_under_test, "embedders.wrong")
