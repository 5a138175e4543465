"""One pass over a source: what is new or changed is embedded, what has gone leaves, the rest is not touched.

The ledger in the database says what the vector store holds. It is told before the vector store is touched
and again afterwards, so that a pass that died in between is repeated for just these documents, and leaves
nothing behind.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.embedder.v1 import GetDimensionsResponse
from hector_document.config import DocumentStoreConfig, RetryConfig
from hector_document.decode import decode
from hector_document.directory import Directory, File
from hector_document.errors import DocumentUnreadable, ProviderAnsweredWrong
from hector_document.measuring import REFUSED, TAKEN_IN
from hector_document.parsers import Parsers
from hector_document.passages import (
    Prepared,
    chunk_ids,
    content_hash,
    pipeline_of,
    prepared,
    with_vectors,
)
from hector_document.progress import FAILED, INDEXED, INDEXING, Progress
from hector_document.providers import Embedder, Vectors
from hector_mesh import info_of
from hector_store import DocumentIndex, DocumentRow

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

_PASSING = (
    StatusCode.UNAVAILABLE,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.RESOURCE_EXHAUSTED,
    StatusCode.ABORTED,
)
_REFUSED = (StatusCode.INVALID_ARGUMENT, StatusCode.OUT_OF_RANGE)
REPORT_S = 10.0
"""How often a pass that takes long says how far it is."""
_JUST_NOW_US = 2_000_000
"""A file changed this shortly before it was read may have changed once more without a new time."""
_ROWS = 500


class Update:
    """What a pass needs; made for one store, run as often as one likes, but never twice at a time."""

    def __init__(
        self,
        name: str,
        config: DocumentStoreConfig,
        embedder: Embedder,
        vectors: Vectors,
        ledger: DocumentIndex,
        progress: Progress,
        app: str,
        parsers: Parsers,
    ) -> None:
        self._name, self._app, self._config = name, app, config
        self._parsers = parsers
        self._embedder, self._vectors, self._ledger = embedder, vectors, ledger
        self._directory = Directory(config.source)
        self._progress = progress
        self._rows = progress.rows
        self._described = GetDimensionsResponse()
        self._pipeline = ""
        self._turn = asyncio.Lock()

    async def run(self, *, force: bool) -> None:
        """Bring the store up to date.

        Args:
            force: Read and embed everything, changed or not.

        Raises:
            SourceUnavailable: There is no source to look at; nothing was changed.
            AioRpcError, HectorError: A provider or the database is away; what was done so far is kept.
        """
        self._directory.more = await self._persistently(self._parsers.learn)
        files = await asyncio.to_thread(self._directory.files)
        self._progress.total = len(files)
        self._described = await self._persistently(self._embedder.described)
        described = self._described
        fingerprint = described.fingerprint or f"{self._embedder.name}:{described.dimensions}"
        folder, parsers = str(self._directory.path), self._parsers.words
        self._pipeline = pipeline_of(fingerprint, self._config.chunking, folder, parsers)
        await self._prepare()
        await self._remove(sorted(self._rows.keys() - {file.document for file in files}))
        await self._side_by_side([file for file in files if force or self._changed(file)], force)

    async def _prepare(self) -> None:
        """Have the collection there; start all over when what it holds is of no use."""
        ours = self._pipeline.partition(":")[0]
        reason = "" if self._rows or self._progress.is_sure else "nothing is known of it"
        if any(row.pipeline_hash.partition(":")[0] != ours for row in self._rows.values()):
            reason = "the embedder is another one"
        elif self._rows:
            there = await self._persistently(self._vectors.count)
            if there is not None and there < self._progress.passages:
                reason = "passages are missing in the vector store"
        if not reason:
            try:
                await self._vectors.create(self._described.dimensions)
                self._progress.is_sure = True
                return
            except AioRpcError as error:
                if info_of(error).reason != "COLLECTION_MISMATCH":
                    raise
                reason = "the collection holds other vectors"
        if self._rows:
            log.warning("index started all over", extra={"document_store": self._name, "reason": reason})
        await self._ledger.clear()
        self._rows.clear()
        await self._persistently(self._vectors.drop)
        await self._persistently(lambda: self._vectors.create(self._described.dimensions))
        self._progress.is_sure = True

    def _changed(self, file: File) -> bool:
        row = self._rows.get(file.document)
        return (
            row is None
            or row.state == INDEXING
            or row.pipeline_hash != self._pipeline
            or (row.size_bytes, row.modified_time_us) != (file.size_bytes, file.modified_us)
            or row.source_uri != file.source
            or file.modified_us > row.indexed_time_us - _JUST_NOW_US
        )

    async def _side_by_side(self, files: Sequence[File], force: bool) -> None:
        waiting = iter(enumerate(files))
        report_at = time.monotonic() + REPORT_S

        async def work() -> None:
            nonlocal report_at
            for number, file in waiting:
                await self._document(file, force)
                if time.monotonic() >= report_at:
                    report_at = time.monotonic() + REPORT_S
                    facts = {"document_store": self._name, "done": number + 1, "of": len(files)}
                    log.info("index under way", extra=facts)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._config.indexing.max_concurrent):
                    workers.create_task(work())
        except* Exception as failures:
            # The others were cancelled because of the first.
            raise failures.exceptions[0] from None

    async def _document(self, file: File, force: bool) -> None:
        """Take in one document, whatever it has become."""
        try:
            content = await asyncio.to_thread(self._directory.read, file)
            digest = content_hash(content)
            row = self._rows.get(file.document)
            if not force and row is not None and self._same(row, file, digest):
                await self._note(self._row(file, INDEXED, digest, row.chunk_count))
                return
            parsed = await self._parsed(file, content) if self._parsers.reads(file.document) else None
            # One at a time: several threads of Python are no faster, and the event loop would wait for each.
            async with self._turn:
                passages = await asyncio.to_thread(self._cut, file, content, parsed)
            await self._store(file, digest, passages)
        except FileNotFoundError:
            await self._remove([file.document] if file.document in self._rows else [])
        except (DocumentUnreadable, ProviderAnsweredWrong) as error:
            await self._fail(file, str(error), for_good=isinstance(error, DocumentUnreadable))
        except OSError as error:
            await self._fail(file, f"it cannot be read: {error.strerror or error}", for_good=False)
        except AioRpcError as error:
            if error.code() not in _REFUSED:
                raise
            await self._fail(file, f"it was refused: {error.details()}", for_good=False)

    def _same(self, row: DocumentRow, file: File, digest: str) -> bool:
        return (row.state, row.content_hash, row.pipeline_hash, row.source_uri) == (
            INDEXED,
            digest,
            self._pipeline,
            file.source,
        )

    async def _parsed(self, file: File, content: bytes) -> str:
        """Return what a plugin makes of a document.

        Raises:
            DocumentUnreadable: It can make nothing of it.
            ProviderAnsweredWrong: It fails on this one, again and again; the others go on.
        """
        try:
            parsed = await self._persistently(lambda: self._parsers.parsed(file.document, content))
        except AioRpcError as error:
            raise ProviderAnsweredWrong(f"its parser failed: {error.details()}") from error
        for warning in parsed.warnings:
            facts = {"document_store": self._name, "document": file.document, "warning": warning}
            log.warning("document was not read as a whole", extra=facts)
        return parsed.text

    def _cut(self, file: File, content: bytes, parsed: str | None) -> list[Prepared]:
        if parsed is not None:
            return prepared(self._name, file, parsed, self._config.chunking, extracted=True)
        decoded = decode(content)
        if decoded.warning:
            facts = {"document_store": self._name, "document": file.document, "warning": decoded.warning}
            log.warning("document read by guess", extra=facts)
        return prepared(self._name, file, decoded.text, self._config.chunking)

    async def _store(self, file: File, digest: str, passages: Sequence[Prepared]) -> None:
        texts = [passage.text for passage in passages]
        vectors = await self._persistently(lambda: self._embedder.of_documents(texts, self._described))
        self._progress.embedded += 1
        TAKEN_IN.add(self._name)
        before = self._known_chunks(file.document)
        await self._note(self._row(file, INDEXING, "", max(before, len(passages))))
        records = with_vectors(passages, vectors)
        await self._persistently(lambda: self._vectors.put(records))
        left_over = chunk_ids(file.document, len(passages), before)
        await self._persistently(lambda: self._vectors.delete(left_over))
        await self._note(self._row(file, INDEXED, digest, len(passages)))

    async def _fail(self, file: File, why: str, *, for_good: bool) -> None:
        """Count a document as failed; unless it failed for good, it is tried again in the next pass."""
        facts = {"document_store": self._name, "document": file.document, "error": why}
        known = self._rows.get(file.document)
        is_news = known is None or (known.state, known.error) != (FAILED, why)
        log.log(logging.WARNING if is_news else logging.DEBUG, "document could not be indexed", extra=facts)
        REFUSED.add(self._name)
        before = self._known_chunks(file.document)
        if before:
            await self._note(self._row(file, INDEXING, "", before))
            stale = chunk_ids(file.document, 0, before)
            await self._persistently(lambda: self._vectors.delete(stale))
        row = self._row(file, FAILED, "", 0)
        await self._note(replace(row, error=why, modified_time_us=row.modified_time_us if for_good else 0))

    async def _remove(self, documents: Sequence[str]) -> None:
        """Let documents leave that are no longer in the source."""
        for at in range(0, len(documents), _ROWS):
            some = [self._rows[document] for document in documents[at : at + _ROWS]]
            await self._note(*(replace(row, state=INDEXING) for row in some if row.chunk_count))
            ids = [chunk for row in some for chunk in chunk_ids(row.document_id, 0, row.chunk_count)]
            await self._persistently(lambda ids=ids: self._vectors.delete(ids))  # type: ignore[misc]
            await self._ledger.delete([row.document_id for row in some])
            for row in some:
                del self._rows[row.document_id]

    def _known_chunks(self, document: str) -> int:
        row = self._rows.get(document)
        return row.chunk_count if row is not None else 0

    def _row(self, file: File, state: str, digest: str, chunks: int) -> DocumentRow:
        return DocumentRow(
            app=self._app,
            store=self._name,
            document_id=file.document,
            source_uri=file.source,
            content_hash=digest,
            pipeline_hash=self._pipeline,
            chunk_count=chunks,
            state=state,
            size_bytes=file.size_bytes,
            modified_time_us=file.modified_us,
            indexed_time_us=self._progress.now_us(),
        )

    async def _note(self, *rows: DocumentRow) -> None:
        await self._ledger.put(rows)
        for row in rows:
            self._rows[row.document_id] = row

    async def _persistently(self, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return what `work` returns, trying again what may pass."""
        retry = self._config.indexing.retry
        for wait_s in _waits(retry):
            try:
                return await work()
            except AioRpcError as error:
                if error.code() not in _PASSING:
                    raise
                facts = {"document_store": self._name, "error": error.details(), "wait_s": wait_s}
                log.info("provider did not answer", extra=facts)
            await asyncio.sleep(wait_s)
        return await work()


def _waits(retry: RetryConfig) -> Iterator[float]:
    for attempt in range(retry.max_retries):
        yield wait_before(retry, attempt)


def wait_before(retry: RetryConfig, attempt: int) -> float:
    """Return the seconds before try number `attempt + 2`."""
    wait_s = min(retry.max_delay, retry.base_delay * 2.0 ** min(attempt, 30))
    return wait_s * random.uniform(0.5, 1.0) if retry.jitter else wait_s
