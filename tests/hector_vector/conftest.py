"""A room over folders, opened and closed as often as a test likes."""

from contextlib import asynccontextmanager

import pytest

from hector.vector.v1 import DatabaseProviderStub
from hector_mesh import LocalChannel, LocalServer, Mesh
from hector_vector import VectorSection, build


@pytest.fixture
def opened():
    """Run the room with these stores; what comes out is a stub for one of them, or for all."""

    @asynccontextmanager
    async def open_room(**stores):
        server = LocalServer()
        mesh = Mesh({"hector.vector.v1.DatabaseProvider": LocalChannel(server)})
        room = build(VectorSection(vector_stores=stores), mesh)
        room.register(server)
        async with room.running():
            instance = f"vector_stores.{next(iter(stores))}" if len(stores) == 1 else ""
            yield DatabaseProviderStub(mesh.at(instance)) if instance else mesh

    return open_room
