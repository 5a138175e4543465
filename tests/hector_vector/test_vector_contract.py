"""The embedded store behind the router keeps the contract."""

import pytest
from contracts.database_provider import DatabaseProviderSuite

from hector.vector.v1 import DatabaseProviderStub
from hector_vector import VectorSection, build


class TestEmbeddedStore(DatabaseProviderSuite):
    @pytest.fixture
    async def vectors(self, mesh_under_test, tmp_path):
        section = VectorSection(vector_stores={"main": {"persist_path": tmp_path}})
        room = build(section, mesh_under_test.mesh)
        await mesh_under_test.serve(room.register)
        async with room.running():
            yield DatabaseProviderStub(mesh_under_test.mesh.at("vector_stores.main"))
