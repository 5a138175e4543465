"""Puts the room together: every configured store behind one router."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from hector.vector.v1 import (
    DatabaseProviderServicer,
    DatabaseProviderStub,
    add_DatabaseProviderServicer_to_server,
)
from hector_config.plugin_word import plugin_word
from hector_mesh import Mesh, Room, forwarding
from hector_store.url import parse
from hector_vector.config import VectorSection
from hector_vector.embedded import EmbeddedStore
from hector_vector.router import VectorRouter

_FOLDER = Path(".hector/vectors")
_KIND = "vector_stores."


def build(config: VectorSection, mesh: Mesh) -> Room:
    """Return the room that serves `hector.vector.v1.DatabaseProvider`.

    Running it fails with `VectorStoreInUse` when another process has one of the stores.
    """
    # An index in a database that starts empty would empty vectors that were kept, maybe for somebody else.
    is_forgotten = parse(config.storage.database).in_memory
    elsewhere = Path(tempfile.gettempdir(), f"hector-vectors-{uuid4().hex}")
    stores = {
        name: EmbeddedStore(name, elsewhere / name if is_forgotten else entry.persist_path or _FOLDER / name)
        for name, entry in config.vector_stores.items()
        if not entry.is_plugin
    }
    of_plugins = {
        name: forwarding(
            DatabaseProviderServicer, DatabaseProviderStub(mesh.plugin(word.plugin, _KIND + name))
        )
        for name, entry in config.vector_stores.items()
        if (word := plugin_word(entry.type)) is not None
    }

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:
            if is_forgotten:
                closing.push_async_callback(asyncio.to_thread, shutil.rmtree, elsewhere, ignore_errors=True)
            for store in stores.values():
                closing.push_async_callback(store.close)
                store.start()
            yield

    return Room(
        register=partial(add_DatabaseProviderServicer_to_server, VectorRouter({**stores, **of_plugins})),
        running=running,
    )
