"""The embedder and the vector store behind a document store, asked over the mesh and taken at their word."""

import struct
from collections.abc import Sequence

from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.common.v1 import Filter
from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedderProviderStub,
    Embedding,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
    GetDimensionsResponse,
    InputType,
)
from hector.vector.v1 import (
    CreateCollectionRequest,
    DatabaseProviderStub,
    DeleteCollectionRequest,
    DeleteVectorsRequest,
    ListCollectionsRequest,
    SearchMode,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
    VectorResult,
)
from hector_document.errors import ProviderAnsweredWrong
from hector_mesh import Mesh

CALL_S = 120.0
"""Longest wait for one batch; a provider that is slower is as good as away."""

_LEXICAL = "local:"
"""How the fingerprint of an embedder begins that knows words, not meanings."""
_BATCH = 64
_BATCH_CHARACTERS = 400_000
_RECORDS = 500
_IDS = 5_000


class Embedder:
    """One configured embedder."""

    def __init__(self, mesh: Mesh, name: str) -> None:
        self.name = name
        self.is_lexical = False
        """Whether it sees words only, as far as is known; `described` finds out."""
        self._stub = EmbedderProviderStub(mesh.at(f"embedders.{name}"))

    async def described(self) -> GetDimensionsResponse:
        """Return how long its vectors are, and how it is told from others."""
        found = await self._stub.GetDimensions(GetDimensionsRequest(), timeout=CALL_S)
        if not found.dimensions:
            raise ProviderAnsweredWrong(f"embedder {self.name!r} does not say how long its vectors are")
        self.is_lexical = found.fingerprint.startswith(_LEXICAL)
        return found

    async def of_query(self, text: str) -> bytes:
        """Return the vector of a question, as little-endian float32."""
        request = EmbedTextRequest(text=text, input_type=InputType.INPUT_TYPE_QUERY)
        answer = await self._stub.EmbedText(request, timeout=CALL_S)
        self._check(answer.error)
        return _packed(answer)

    async def of_documents(self, texts: Sequence[str], described: GetDimensionsResponse) -> list[bytes]:
        """Return the vectors of passages, in their order; asks in batches."""
        vectors: list[bytes] = []
        for batch in _batches(texts, min(described.max_batch or _BATCH, _BATCH)):
            request = EmbedBatchRequest(texts=batch, input_type=InputType.INPUT_TYPE_DOCUMENT)
            answer = await self._stub.EmbedBatch(request, timeout=CALL_S)
            self._check(answer.error)
            found = [_packed(embedding) for embedding in answer.embeddings]
            if len(found) != len(batch):
                raise ProviderAnsweredWrong(
                    f"embedder {self.name!r} was given {len(batch)} texts and returned {len(found)} vectors"
                )
            vectors += found
        for vector in vectors:
            if len(vector) != 4 * described.dimensions:
                raise ProviderAnsweredWrong(
                    f"embedder {self.name!r} promises {described.dimensions} floats, not {len(vector) // 4}"
                )
        return vectors

    def _check(self, error: str) -> None:
        if error:
            raise ProviderAnsweredWrong(f"embedder {self.name!r} failed: {error}")


class Vectors:
    """One collection of one configured vector store."""

    def __init__(self, mesh: Mesh, name: str, collection: str) -> None:
        self.name = name
        self.collection = collection
        self._stub = DatabaseProviderStub(mesh.at(f"vector_stores.{name}"))

    async def create(self, dimension: int) -> None:
        request = CreateCollectionRequest(name=self.collection, dimension=dimension)
        answer = await self._stub.CreateCollection(request, timeout=CALL_S)
        self._check(answer.error)

    async def drop(self) -> None:
        answer = await self._stub.DeleteCollection(
            DeleteCollectionRequest(name=self.collection), timeout=CALL_S
        )
        self._check(answer.error)

    async def count(self) -> int | None:
        """Return how many records there are; 0 without a collection, None when the store does not tell."""
        token = ""
        while True:
            request = ListCollectionsRequest(page_size=1000, page_token=token)
            try:
                page = await self._stub.ListCollections(request, timeout=CALL_S)
            except AioRpcError as error:
                if error.code() == StatusCode.UNIMPLEMENTED:
                    return None
                raise
            for each in page.collections:
                if each.name == self.collection:
                    return each.count
            if not (token := page.next_page_token):
                return 0

    async def put(self, records: Sequence[VectorRecord]) -> None:
        for at in range(0, len(records), _RECORDS):
            request = UpsertVectorsRequest(
                collection=self.collection, vectors=records[at : at + _RECORDS], wait=True
            )
            answer = await self._stub.UpsertVectors(request, timeout=CALL_S)
            self._check(
                answer.error or "; ".join(f"{each.id}: {each.message}" for each in answer.item_errors)
            )

    async def delete(self, ids: Sequence[str]) -> None:
        for at in range(0, len(ids), _IDS):
            request = DeleteVectorsRequest(collection=self.collection, ids=ids[at : at + _IDS])
            self._check((await self._stub.DeleteVectors(request, timeout=CALL_S)).error)

    async def near(
        self, vector: bytes, limit: int, threshold: float, condition: Filter | None
    ) -> Sequence[VectorResult]:
        """Return the records nearest to a vector."""
        request = SearchVectorsRequest(
            collection=self.collection,
            vector_f32=vector,
            limit=limit,
            threshold=threshold,
            filter=condition,
            mode=SearchMode.SEARCH_MODE_VECTOR,
        )
        return await self._search(request)

    async def worded(self, text: str, limit: int, condition: Filter | None) -> Sequence[VectorResult]:
        """Return the records that say most of the words."""
        request = SearchVectorsRequest(
            collection=self.collection,
            text=text,
            limit=limit,
            filter=condition,
            mode=SearchMode.SEARCH_MODE_KEYWORD,
        )
        return await self._search(request)

    async def _search(self, request: SearchVectorsRequest) -> Sequence[VectorResult]:
        answer = await self._stub.SearchVectors(request, timeout=CALL_S)
        self._check(answer.error)
        return answer.results

    def _check(self, error: str) -> None:
        if error:
            raise ProviderAnsweredWrong(f"vector store {self.name!r} failed: {error}")


def _packed(answer: EmbedTextResponse | Embedding) -> bytes:
    return answer.vector_f32 or struct.pack(f"<{len(answer.vector)}f", *answer.vector)


def _batches(texts: Sequence[str], most: int) -> list[list[str]]:
    batches: list[list[str]] = []
    size = 0
    for text in texts:
        if not batches or len(batches[-1]) >= most or size + len(text) > _BATCH_CHARACTERS:
            batches.append([])
            size = 0
        batches[-1].append(text)
        size += len(text)
    return batches
