"""Keeps and finds records in this process: python -m unittest."""

import unittest

from main import Store

from hector.vector.v1 import (
    CreateCollectionRequest,
    DatabaseProviderStub,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
)
from hector_plugin.testing import running


class Nearest(unittest.IsolatedAsyncioTestCase):
    async def test_what_is_nearest_is_found_first(self) -> None:
        records = [VectorRecord(id="east", vector=[1, 0]), VectorRecord(id="north", vector=[0, 1])]
        async with running(Store()) as plugin:
            store = plugin.stub(DatabaseProviderStub)
            await store.CreateCollection(CreateCollectionRequest(name="places", dimension=2))
            await store.UpsertVectors(UpsertVectorsRequest(collection="places", vectors=records))
            answer = await store.SearchVectors(SearchVectorsRequest(collection="places", vector=[0.1, 0.9]))
        self.assertEqual([result.id for result in answer.results], ["north", "east"])
