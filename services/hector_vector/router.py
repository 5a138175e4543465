"""Picks the vector store that a call is for."""

from collections.abc import AsyncIterator, Mapping

from hector.vector.v1 import (
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
    SearchVectorsRequest,
    SearchVectorsResponse,
    UpsertVectorsRequest,
    UpsertVectorsResponse,
)
from hector_mesh import Context, current_call
from hector_vector.config import DEFAULT
from hector_vector.errors import VectorStoreNotFound

_KIND = "vector_stores."


class VectorRouter(DatabaseProviderServicer):
    """Serves every configured store by passing the call to it.

    A call that names none, or `vector_stores.default` where no entry is called so, gets the only one.
    """

    def __init__(self, stores: Mapping[str, DatabaseProviderServicer]) -> None:
        self._stores = stores

    async def CreateCollection(
        self, request: CreateCollectionRequest, context: Context
    ) -> CreateCollectionResponse:
        return await self._store().CreateCollection(request, context)

    async def DeleteCollection(
        self, request: DeleteCollectionRequest, context: Context
    ) -> DeleteCollectionResponse:
        return await self._store().DeleteCollection(request, context)

    async def UpsertVectors(self, request: UpsertVectorsRequest, context: Context) -> UpsertVectorsResponse:
        return await self._store().UpsertVectors(request, context)

    async def SearchVectors(self, request: SearchVectorsRequest, context: Context) -> SearchVectorsResponse:
        return await self._store().SearchVectors(request, context)

    async def DeleteVectors(self, request: DeleteVectorsRequest, context: Context) -> DeleteVectorsResponse:
        return await self._store().DeleteVectors(request, context)

    async def ListCollections(
        self, request: ListCollectionsRequest, context: Context
    ) -> ListCollectionsResponse:
        return await self._store().ListCollections(request, context)

    async def GetVectors(self, request: GetVectorsRequest, context: Context) -> GetVectorsResponse:
        return await self._store().GetVectors(request, context)

    async def ScanVectors(
        self, request: ScanVectorsRequest, context: Context
    ) -> AsyncIterator[ScanVectorsResponse]:
        async for batch in self._store().ScanVectors(request, context):
            yield batch

    def _store(self) -> DatabaseProviderServicer:
        name = current_call.get().instance.removeprefix(_KIND) or DEFAULT
        found = self._stores.get(name)
        if found is None and name == DEFAULT and len(self._stores) == 1:
            found = next(iter(self._stores.values()))
        if found is None:
            raise VectorStoreNotFound(name, self._stores)
        return found
