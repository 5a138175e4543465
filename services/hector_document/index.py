"""Keeps one store up to date: at the start, on demand, when its source changes, and after a failure."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from time import perf_counter

from grpc.aio import AioRpcError

from hector.document.v1 import IndexState, IndexStatus
from hector_document import measuring
from hector_document.config import DocumentStoreConfig
from hector_document.directory import Directory
from hector_document.parsers import Parsers
from hector_document.progress import Progress
from hector_document.providers import Embedder, Vectors
from hector_document.update import Update, wait_before
from hector_document.watch import changes
from hector_mesh import HectorError
from hector_store import DocumentIndex, DocumentRow

log = logging.getLogger(__name__)

REPORT_S = 0.5
"""How often somebody who follows an update hears of it."""
REWATCH_S = 60.0
"""How long until a watch that failed in a way nobody foresaw is begun anew."""


class StoreIndex:
    """The index of one document store. `run` keeps it; everything else only looks or asks."""

    def __init__(
        self,
        name: str,
        config: DocumentStoreConfig,
        embedder: Embedder,
        vectors: Vectors,
        parsers: Parsers,
        app: str = "default",
    ) -> None:
        self._name, self._config, self._app = name, config, app
        self._embedder, self._vectors, self._parsers = embedder, vectors, parsers
        self._progress = Progress(name)
        measuring.watch(self._progress)
        self._wanted = asyncio.Event()
        self._force = not config.incremental_indexing
        self._remembers = False
        self._passes_begun = self._passes_done = 0
        self._pass_done = asyncio.Event()
        self.tried = asyncio.Event()
        """Set when the first pass has ended, well or not."""

    def status(self) -> IndexStatus:
        return self._progress.status()

    def is_failing(self) -> bool:
        """Say whether the store could not be brought up to date the last time."""
        return self._progress.state == IndexState.INDEX_STATE_FAILED or not self._config.source.path.is_dir()

    def documents(self, *, after: str, limit: int) -> list[DocumentRow]:
        """Return what is known of the next documents behind a name, in order."""
        rows = self._progress.rows
        return [rows[name] for name in sorted(name for name in rows if name > after)[:limit]]

    async def updated(self, *, force: bool) -> AsyncIterator[IndexStatus]:
        """Ask for a pass and report on it until it has ended; it goes on when nobody listens any more."""
        # One that is under way may have looked at the source before the caller changed it.
        target = self._passes_begun + 1
        self._force |= force
        self._wanted.set()
        while self._passes_done < target:
            yield self.status()
            done = self._pass_done
            try:
                async with asyncio.timeout(REPORT_S):
                    await done.wait()
            except TimeoutError:
                continue
        yield self.status()

    async def run(self, ledger: DocumentIndex) -> None:
        """Keep the store up to date until cancelled; failures are reported and tried again, for ever."""
        async with asyncio.TaskGroup() as tasks:
            if self._config.watch:
                tasks.create_task(self._watch())
            failed_before = 0
            while True:
                failed_before = 0 if await self._pass(ledger) else failed_before + 1
                try:
                    retry = self._config.indexing.retry
                    wait_s = wait_before(retry, failed_before - 1) if failed_before else None
                    async with asyncio.timeout(wait_s):
                        await self._wanted.wait()
                except TimeoutError:
                    pass

    async def _pass(self, ledger: DocumentIndex) -> bool:
        progress, began = self._progress, perf_counter()
        self._passes_begun += 1
        self._wanted.clear()
        force, self._force = self._force, False
        try:
            if not self._remembers:
                rows = await ledger.list()
                progress.rows.clear()
                progress.rows |= {row.document_id: row for row in rows}
                self._remembers = True
            is_first = not any(row.chunk_count for row in progress.rows.values())
            progress.state = IndexState.INDEX_STATE_BUILDING if is_first else IndexState.INDEX_STATE_UPDATING
            embedded = progress.embedded
            update = Update(
                self._name,
                self._config,
                self._embedder,
                self._vectors,
                ledger,
                progress,
                self._app,
                self._parsers,
            )
            await update.run(force=force)
        except (AioRpcError, HectorError) as error:
            self._fail(str(error.details() if isinstance(error, AioRpcError) else error), force)
        except Exception:
            # A border: a mistake of ours in one store must not take the process, and all others, down.
            log.exception("index failed unexpectedly", extra={"document_store": self._name})
            self._fail("an unexpected error; see the log", force)
        else:
            progress.state, progress.error = IndexState.INDEX_STATE_CURRENT, ""
            progress.updated_us = progress.now_us()
            status = progress.status()
            facts = {
                "document_store": self._name,
                "documents": status.documents_indexed,
                "failed": status.documents_failed,
                "passages": status.passages,
                "embedded": progress.embedded - embedded,
            }
            level = logging.INFO if self._passes_done == 0 or progress.embedded > embedded else logging.DEBUG
            log.log(level, "index brought up to date", extra=facts)
        finally:
            measuring.passed(began, self._name, well=not progress.error)
            self._passes_done = self._passes_begun
            self._pass_done.set()
            self._pass_done = asyncio.Event()
            self.tried.set()
        return not progress.error

    def _fail(self, why: str, force: bool) -> None:
        progress = self._progress
        if why != progress.error:
            log.warning("index failed", extra={"document_store": self._name, "error": why})
        progress.state, progress.error = IndexState.INDEX_STATE_FAILED, why
        # The database knows better than what we remember of a pass that broke off.
        self._remembers = progress.is_sure = False
        self._force |= force

    async def _watch(self) -> None:
        while True:
            try:
                async with aclosing(changes(Directory(self._config.source))) as found:
                    async for _ in found:
                        self._wanted.set()
            except Exception:
                # A border, as in `_pass`: who cannot watch can still index, now and then.
                log.exception("watch failed unexpectedly", extra={"document_store": self._name})
            await asyncio.sleep(REWATCH_S)
            self._wanted.set()
