"""A folder of documents and the rooms that make it searchable, opened and closed as often as a test likes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hector.document.v1 import (
    DocumentStoreStub,
    GetIndexStatusRequest,
    IndexDocumentsRequest,
    IndexStatus,
    Passage,
    SearchDocumentsRequest,
    SearchDocumentsResponse,
)
from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderServicer,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
    GetDimensionsResponse,
    add_EmbedderProviderServicer_to_server,
)
from hector.vector.v1 import DatabaseProviderStub, ListCollectionsRequest
from hector_document import DocumentSection, build
from hector_embedder import EmbedderConfig
from hector_embedder.local import LocalEmbedder
from hector_mesh import Context, HectorError, Mesh
from hector_vector import VectorSection
from hector_vector import build as build_vectors

QUICK_RETRY = {"max_retries": 1, "base_delay": "20ms", "max_delay": "100ms"}


class WatchedEmbedder(EmbedderProviderServicer):
    """The offline embedder; counts what it is asked, and fails or waits when told to."""

    def __init__(self, dimension: int = 64) -> None:
        self._inner = LocalEmbedder(EmbedderConfig(dimension=dimension))
        self.texts: list[str] = []
        self.calls = 0
        self.failure: HectorError | None = None
        self.fingerprint = ""
        self.gate = asyncio.Event()
        self.gate.set()
        self.most_at_once = self._at_once = 0
        self._called = asyncio.Condition()

    async def EmbedText(self, request: EmbedTextRequest, context: Context) -> EmbedTextResponse:
        self._check()
        return await self._inner.EmbedText(request, context)

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Context) -> EmbedBatchResponse:
        self._check()
        self.calls += 1
        self.texts += request.texts
        self._at_once += 1
        async with self._called:
            self._called.notify_all()
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self.gate.wait()
            return await self._inner.EmbedBatch(request, context)
        finally:
            self._at_once -= 1

    async def GetDimensions(self, request: GetDimensionsRequest, context: Context) -> GetDimensionsResponse:
        self._check()
        found = await self._inner.GetDimensions(request, context)
        found.fingerprint += self.fingerprint
        return found

    async def called(self, times: int) -> None:
        """Wait until batches were asked for so many times."""
        async with asyncio.timeout(10), self._called:
            await self._called.wait_for(lambda: self.calls >= times)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


class Docs:
    """The document room as its callers see it."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.stub = DocumentStoreStub(mesh)

    async def asked(self, query: str, **request: Any) -> SearchDocumentsResponse:
        return await self.stub.SearchDocuments(SearchDocumentsRequest(query=query, **request), timeout=10)

    async def search(self, query: str, **request: Any) -> list[Passage]:
        response = await self.asked(query, **request)
        assert not response.failures
        return list(response.passages)

    async def sources(self, query: str, **request: Any) -> list[str]:
        return [passage.source for passage in await self.search(query, **request)]

    async def status(self, store: str = "docs") -> IndexStatus:
        stub = DocumentStoreStub(self.mesh.at(f"document_stores.{store}"))
        return (await stub.GetIndexStatus(GetIndexStatusRequest(), timeout=10)).statuses[0]

    async def update(self, store: str = "docs", *, force: bool = False) -> IndexStatus:
        stub = DocumentStoreStub(self.mesh.at(f"document_stores.{store}"))
        async with asyncio.timeout(20):
            reports = [report async for report in stub.IndexDocuments(IndexDocumentsRequest(force=force))]
        return reports[-1].status

    async def until(self, holds: Callable[[IndexStatus], bool], within_s: float = 10) -> IndexStatus:
        async with asyncio.timeout(within_s):
            while True:
                status = await self.status()
                if holds(status):
                    return status
                await asyncio.sleep(0.01)

    async def stored(self) -> int:
        """How many passages the vector store really has."""
        listed = await DatabaseProviderStub(self.mesh).ListCollections(ListCollectionsRequest(), timeout=10)
        return sum(each.count for each in listed.collections)


class House:
    """A project folder with documents in `docs/`."""

    def __init__(self, under_test: Any, folder: Path) -> None:
        self._under_test = under_test
        self.folder = folder
        self.docs = folder / "docs"
        self.docs.mkdir()
        self.embedder = WatchedEmbedder()

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def config(self, **stores: dict[str, Any]) -> DocumentSection:
        return DocumentSection.model_validate(
            {
                "storage": {"database": "sqlite://.hector/hector.db"},
                "document_stores": {
                    name: {
                        "indexing": {"retry": QUICK_RETRY},
                        **store,
                        "source": {"path": "docs", **store.get("source", {})},
                    }
                    for name, store in stores.items()
                },
            },
            context={"project_dir": self.folder},
        )

    @asynccontextmanager
    async def opened(self, *, ready: bool = True, **stores: dict[str, Any]) -> AsyncIterator[Docs]:
        mesh = self._under_test.mesh
        section = VectorSection(vector_stores={"default": {"persist_path": self.folder / "vectors"}})
        vectors, documents = (
            build_vectors(section, mesh),
            build(self.config(**(stores or {"docs": {}})), mesh),
        )
        await self._under_test.serve(
            lambda server: add_EmbedderProviderServicer_to_server(self.embedder, server),
            vectors.register,
            documents.register,
        )
        async with AsyncExitStack() as rooms:
            for room in (vectors, documents):
                await rooms.enter_async_context(room.running())
            if ready:
                assert documents.ready is not None
                async with asyncio.timeout(20):
                    await documents.ready()
            yield Docs(mesh)


@pytest.fixture
def house(mesh_under_test, tmp_path) -> House:
    return House(mesh_under_test, tmp_path)
