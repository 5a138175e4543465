"""Document stores work with providers that know only what the first plugin guide asked of them."""

import struct

import pytest
from grpc import StatusCode

from hector.document.v1 import DocumentStoreStub, GetIndexStatusRequest, IndexState, SearchDocumentsRequest
from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderServicer,
    Embedding,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
    GetDimensionsResponse,
    add_EmbedderProviderServicer_to_server,
)
from hector.vector.v1 import (
    CreateCollectionRequest,
    CreateCollectionResponse,
    DatabaseProviderServicer,
    DeleteCollectionRequest,
    DeleteCollectionResponse,
    DeleteVectorsRequest,
    DeleteVectorsResponse,
    SearchMode,
    SearchVectorsRequest,
    SearchVectorsResponse,
    UpsertVectorsRequest,
    UpsertVectorsResponse,
    VectorRecord,
    VectorResult,
    add_DatabaseProviderServicer_to_server,
)
from hector_document import build
from hector_mesh import Context


class OldEmbedder(EmbedderProviderServicer):
    """Floats one by one, `error` in place of a status, no fingerprint."""

    error = ""

    async def EmbedText(self, request: EmbedTextRequest, context: Context) -> EmbedTextResponse:
        return EmbedTextResponse(success=not self.error, error=self.error, vector=letters(request.text))

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Context) -> EmbedBatchResponse:
        found = [Embedding(vector=letters(text)) for text in request.texts]
        return EmbedBatchResponse(success=not self.error, error=self.error, embeddings=found)

    async def GetDimensions(self, request: GetDimensionsRequest, context: Context) -> GetDimensionsResponse:
        return GetDimensionsResponse(dimensions=26)


class OldDatabase(DatabaseProviderServicer):
    """The five methods of the guide, vectors only, in memory."""

    def __init__(self) -> None:
        self.records: dict[str, VectorRecord] = {}

    async def CreateCollection(
        self, request: CreateCollectionRequest, context: Context
    ) -> CreateCollectionResponse:
        return CreateCollectionResponse(success=True)

    async def DeleteCollection(
        self, request: DeleteCollectionRequest, context: Context
    ) -> DeleteCollectionResponse:
        self.records.clear()
        return DeleteCollectionResponse(success=True)

    async def UpsertVectors(self, request: UpsertVectorsRequest, context: Context) -> UpsertVectorsResponse:
        self.records |= {record.id: record for record in request.vectors}
        return UpsertVectorsResponse(success=True)

    async def SearchVectors(self, request: SearchVectorsRequest, context: Context) -> SearchVectorsResponse:
        if request.mode == SearchMode.SEARCH_MODE_KEYWORD:
            await context.abort(StatusCode.UNIMPLEMENTED, "vectors only")
        query = struct.unpack("<26f", request.vector_f32)
        results = []
        for each in self.records.values():
            vector = struct.unpack("<26f", each.vector_f32)
            score = sum(x * y for x, y in zip(query, vector, strict=True))
            results.append(
                VectorResult(id=each.id, score=score, content=each.content, metadata_json=each.metadata_json)
            )
        return SearchVectorsResponse(success=True, results=sorted(results, key=lambda found: -found.score))

    async def DeleteVectors(self, request: DeleteVectorsRequest, context: Context) -> DeleteVectorsResponse:
        for each in request.ids:
            self.records.pop(each, None)
        return DeleteVectorsResponse(success=True)


def letters(text: str) -> list[float]:
    return [text.lower().count(chr(ord("a") + n)) / max(1, len(text)) for n in range(26)]


@pytest.mark.parametrize("error", ["", "the model is cold"])
async def test_the_first_guides_providers_are_enough(house, mesh_under_test, error: str) -> None:
    """Contract: repeated floats, `error`, and what is optional may be missing."""
    house.write("a.md", "zzzz zebras")
    house.write("b.md", "mmmm mammals")
    embedder, database = OldEmbedder(), OldDatabase()
    embedder.error = error
    room = build(house.config(docs={}), mesh_under_test.mesh)
    await mesh_under_test.serve(
        lambda server: add_EmbedderProviderServicer_to_server(embedder, server),
        lambda server: add_DatabaseProviderServicer_to_server(database, server),
        room.register,
    )
    stub = DocumentStoreStub(mesh_under_test.mesh)
    async with room.running():
        await room.ready()
        (status,) = (await stub.GetIndexStatus(GetIndexStatusRequest(), timeout=5)).statuses
        found = await stub.SearchDocuments(SearchDocumentsRequest(query="zzz"), timeout=5)
    assert status.state == IndexState.INDEX_STATE_CURRENT
    if error:
        assert (status.documents_failed, status.documents_indexed) == (2, 0)
        assert error in status.failures[0].error
        assert error in found.failures[0].error
    else:
        assert (status.documents_failed, status.documents_indexed) == (0, 2)
        assert [passage.content for passage in found.passages] == ["zzzz zebras", "mmmm mammals"]
        assert not found.failures
