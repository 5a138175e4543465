"""Puts the room together: every configured document store, kept up to date while the room runs."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b

from hector.document.v1 import add_DocumentParserServicer_to_server, add_DocumentStoreServicer_to_server
from hector_document.config import DocumentSection
from hector_document.index import StoreIndex
from hector_document.parser import TextParser
from hector_document.parsers import Parsers
from hector_document.providers import Embedder, Vectors
from hector_document.search import Searched
from hector_document.service import DocumentService, Store
from hector_mesh import Mesh, Room, Server
from hector_store import DocumentIndex, opened

log = logging.getLogger(__name__)

APP = "default"
READY_S = 300.0
"""Longest that readiness waits for first indexes; what is there can be searched all the while."""


def build(config: DocumentSection, mesh: Mesh) -> Room:
    """Return the room that serves `hector.document.v1.DocumentStore` and `DocumentParser`.

    It is ready when every store has been brought up to date once, or could not be: a store that is away is
    tried again for ever, and holds nobody up.
    """
    stores: dict[str, Store] = {}
    for name, entry in config.document_stores.items():
        embedder = Embedder(mesh, entry.embedder)
        vectors = Vectors(mesh, entry.vector_store, entry.collection or _collection_of(name))
        index = StoreIndex(name, entry, embedder, vectors, Parsers(name, entry.source, mesh), APP)
        stores[name] = Store(index, Searched(name, entry.search, embedder, vectors))
    service, parser = DocumentService(stores), TextParser()

    def register(server: Server) -> None:
        add_DocumentStoreServicer_to_server(service, server)
        add_DocumentParserServicer_to_server(parser, server)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        if not stores:
            yield
            return
        async with opened(config.storage.database) as database:
            # Not a TaskGroup: whatever the body raises has to leave as it is.
            tasks = [
                asyncio.create_task(store.index.run(DocumentIndex(database, APP, name)), name=f"index {name}")
                for name, store in stores.items()
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                for ended in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(ended, Exception):
                        log.error("index task died", exc_info=ended)

    async def ready() -> None:
        try:
            async with asyncio.timeout(READY_S):
                for store in stores.values():
                    await store.index.tried.wait()
        except TimeoutError:
            log.warning("went on without waiting for first indexes", extra={"waited_s": READY_S})

    async def sources_are_well() -> bool:
        every = [store.index for store in stores.values()]  # a folder on a network may keep us waiting
        return not await asyncio.to_thread(lambda: any(index.is_failing() for index in every))

    return Room(register=register, running=running, ready=ready, checks={"documents": sources_are_well})


def _collection_of(store: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", store)
    if plain == store and len(plain) <= 100:
        return f"documents.{store}"
    return f"documents.{plain[:80]}-{blake2b(store.encode(), digest_size=6).hexdigest()}"
