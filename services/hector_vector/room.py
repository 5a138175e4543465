"""Puts the room together: every configured store behind one router."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from hector.vector.v1 import add_DatabaseProviderServicer_to_server
from hector_mesh import Mesh, Room
from hector_vector.config import VectorSection
from hector_vector.embedded import EmbeddedStore
from hector_vector.router import VectorRouter


def build(config: VectorSection, mesh: Mesh) -> Room:
    """Return the room that serves `hector.vector.v1.DatabaseProvider`.

    Running it fails with `VectorStoreInUse` when another process has one of the stores.
    """
    stores = {
        name: EmbeddedStore(name, entry.persist_path or Path(".hector/vectors") / name)
        for name, entry in config.vector_stores.items()
    }

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:
            for store in stores.values():
                closing.push_async_callback(store.close)
                store.start()
            yield

    return Room(
        register=partial(add_DatabaseProviderServicer_to_server, VectorRouter(stores)), running=running
    )
