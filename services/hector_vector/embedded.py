"""The embedded vector store: checks requests, and has them done in threads of its own."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hector.vector.v1 import (
    Collection,
    CreateCollectionRequest,
    CreateCollectionResponse,
    DatabaseProviderServicer,
    DeleteCollectionRequest,
    DeleteCollectionResponse,
    DeleteVectorsRequest,
    DeleteVectorsResponse,
    GetVectorsRequest,
    GetVectorsResponse,
    ListCollectionsRequest,
    ListCollectionsResponse,
    ScanVectorsRequest,
    ScanVectorsResponse,
    SearchMode,
    SearchVectorsRequest,
    SearchVectorsResponse,
    UpsertVectorsRequest,
    UpsertVectorsResponse,
    VectorRecord,
    VectorResult,
)
from hector_mesh import Context
from hector_vector import checks
from hector_vector.errors import VectorStoreDamaged, VectorStoreFull
from hector_vector.fusion import fused
from hector_vector.lock import locked
from hector_vector.schema import UnknownVersion

if TYPE_CHECKING:
    from hector_store import FileLock
    from hector_vector.file import Found, Row, VectorFile

Answer = TypeVar("Answer")

FILE = "vectors.db"
_READERS = 2
_FUSED_AT_LEAST = 50
_FUSED_TIMES = 4


class EmbeddedStore(DatabaseProviderServicer):
    """Keeps vectors in a folder of this process: one SQLite file, compared exactly in memory.

    The folder is made, and numpy imported, at the first call; a folder that is there already is taken when
    the store starts, so that a second process learns at once that it cannot have it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._folder = folder
        self._lock: FileLock | None = None
        self._file: VectorFile | None = None
        self._opening = asyncio.Lock()
        self._writer = ThreadPoolExecutor(1, f"vectors-{name}-write")
        self._readers = ThreadPoolExecutor(_READERS, f"vectors-{name}-read")

    def start(self) -> None:
        """Take the folder if there is one.

        Raises:
            VectorStoreInUse: Another process has it.
        """
        if self._lock is None and (self._folder / FILE).exists():
            self._lock = locked(self._name, self._folder)

    async def close(self) -> None:
        """Finish what was begun, and leave the folder to others."""
        await asyncio.to_thread(self._close)

    async def CreateCollection(
        self, request: CreateCollectionRequest, context: Context
    ) -> CreateCollectionResponse:
        metric = checks.creation(request)
        await self._write(lambda file: file.create(request.name, request.dimension, metric))
        return CreateCollectionResponse(success=True)

    async def DeleteCollection(
        self, request: DeleteCollectionRequest, context: Context
    ) -> DeleteCollectionResponse:
        await self._write(lambda file: file.drop(request.name))
        return DeleteCollectionResponse(success=True)

    async def UpsertVectors(self, request: UpsertVectorsRequest, context: Context) -> UpsertVectorsResponse:
        checks.size(request)

        def upsert(file: "VectorFile") -> int:
            dimension = file.collection(request.collection).dimension
            rows = [checks.row(request.collection, record, dimension) for record in request.vectors]
            return file.upsert(request.collection, rows)

        return UpsertVectorsResponse(success=True, upserted=await self._write(upsert))

    async def SearchVectors(self, request: SearchVectorsRequest, context: Context) -> SearchVectorsResponse:
        mode, limit = checks.search(request)
        found = await self._read(lambda file: _search(file, request, mode, limit))
        results = [
            VectorResult(
                id=each.id,
                score=each.score,
                metadata_json="" if request.exclude_metadata else each.metadata,
                content=each.content,
                vector_f32=each.vector,
            )
            for each in found
        ]
        return SearchVectorsResponse(success=True, results=results)

    async def DeleteVectors(self, request: DeleteVectorsRequest, context: Context) -> DeleteVectorsResponse:
        condition = checks.deletion(request)
        deleted = await self._write(lambda file: file.delete(request.collection, request.ids, condition))
        return DeleteVectorsResponse(success=True, deleted=deleted)

    async def ListCollections(
        self, request: ListCollectionsRequest, context: Context
    ) -> ListCollectionsResponse:
        size = checks.page_size(request.page_size)
        found = await self._read(lambda file: file.listed(request.page_token, size + 1))
        return ListCollectionsResponse(
            collections=[
                Collection(
                    name=each.name,
                    dimension=each.dimension,
                    metric=each.metric,
                    count=count,
                )
                for each, count in found[:size]
            ],
            next_page_token=found[size - 1][0].name if len(found) > size else "",
        )

    async def GetVectors(self, request: GetVectorsRequest, context: Context) -> GetVectorsResponse:
        rows = await self._read(lambda file: file.get(request.collection, request.ids))
        return GetVectorsResponse(vectors=_records(rows))

    async def ScanVectors(
        self, request: ScanVectorsRequest, context: Context
    ) -> AsyncIterator[ScanVectorsResponse]:
        size, condition = checks.scan(request)
        last = ""
        while True:
            after = last
            rows = await self._read(lambda file: file.after(request.collection, after, size, condition))  # noqa: B023
            if not rows:
                return
            yield ScanVectorsResponse(vectors=_records(rows))
            last = rows[-1].id

    async def _write(self, work: "Callable[[VectorFile], Answer]") -> Answer:
        return await self._in(self._writer, work)

    async def _read(self, work: "Callable[[VectorFile], Answer]") -> Answer:
        return await self._in(self._readers, work)

    async def _in(self, threads: ThreadPoolExecutor, work: "Callable[[VectorFile], Answer]") -> Answer:
        loop = asyncio.get_running_loop()
        try:
            if self._file is None:
                async with self._opening:
                    if self._file is None:
                        self._file = await loop.run_in_executor(self._writer, self._open)
            return await loop.run_in_executor(threads, work, self._file)
        except sqlite3.Error as error:
            # SQLITE_FULL has no exception of its own.
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
                raise VectorStoreFull(self._name, str(self._folder)) from error
            raise VectorStoreDamaged(self._name, str(self._folder), str(error)) from error
        except (OSError, UnknownVersion) as error:
            raise VectorStoreDamaged(self._name, str(self._folder), str(error)) from error

    def _open(self) -> "VectorFile":
        # One thread compares as fast as two, and on a busy machine 15 to 200 times faster: the threads of the
        # library wait for each other by turning in circles. Whoever knows better sets it before us.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # Here, because a process that has no use for the store need not pay for numpy.
        from hector_vector.file import VectorFile

        if self._lock is None:
            self._lock = locked(self._name, self._folder)
        return VectorFile(self._folder / FILE, checks.title_of)

    def _close(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()
        self._file = self._lock = None


def _search(
    file: "VectorFile", request: SearchVectorsRequest, mode: SearchMode.ValueType, limit: int
) -> "list[Found]":
    name, last = request.collection, request.offset + limit
    condition = request.filter if request.HasField("filter") else None
    if mode == SearchMode.SEARCH_MODE_KEYWORD:
        scored = file.worded(name, request.text, last, condition)
    else:
        vector = checks.query_vector(request, file.collection(name).dimension)
        if mode == SearchMode.SEARCH_MODE_VECTOR:
            near = file.near(name, vector, last, condition)
            least = request.threshold if request.HasField("threshold") else -inf
            scored = [(record, score) for record, score in near if score >= least]
        else:
            depth = max(_FUSED_AT_LEAST, _FUSED_TIMES * last)
            near = file.near(name, vector, depth, condition)
            worded = file.worded(name, request.text, depth, condition)
            alpha = request.hybrid_alpha if request.HasField("hybrid_alpha") else 0.5
            scored = fused([record for record, _ in near], [record for record, _ in worded], alpha)
    return file.read(name, scored[request.offset : last], request.include_vectors)


def _records(rows: "Sequence[Row]") -> list[VectorRecord]:
    return [
        VectorRecord(id=row.id, vector_f32=row.vector, content=row.content, metadata_json=row.metadata)
        for row in rows
    ]
