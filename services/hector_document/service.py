"""Serves the configured document stores: search, status, lists, and updates on demand."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from hector.document.v1 import (
    Document,
    DocumentStoreServicer,
    GetIndexStatusRequest,
    GetIndexStatusResponse,
    IndexDocumentsRequest,
    IndexDocumentsResponse,
    ListDocumentsRequest,
    ListDocumentsResponse,
    SearchDocumentsRequest,
    SearchDocumentsResponse,
    SearchMode,
)
from hector_document.errors import DocumentRequestRefused, DocumentStoreNotFound
from hector_document.index import StoreIndex
from hector_document.measuring import searched
from hector_document.search import Question, Searched, search
from hector_mesh import Context, current_call

_KIND = "document_stores."
LONGEST_QUERY = 10_000
MOST_PASSAGES = 1_000
_PAGE, _LONGEST_PAGE = 100, 1_000


@dataclass(frozen=True, slots=True)
class Store:
    """One document store: how it is indexed, and how it is searched."""

    index: StoreIndex
    searched: Searched


class DocumentService(DocumentStoreServicer):
    """Answers for all stores; metadata or the request say which ones are meant."""

    def __init__(self, stores: Mapping[str, Store]) -> None:
        self._stores = stores

    async def SearchDocuments(
        self, request: SearchDocumentsRequest, context: Context
    ) -> SearchDocumentsResponse:
        if not request.query.strip():
            raise DocumentRequestRefused("the query is empty; say what to look for")
        if len(request.query) > LONGEST_QUERY:
            message = f"the query has {len(request.query)} characters, at most {LONGEST_QUERY} are allowed"
            raise DocumentRequestRefused(message, found=len(request.query), allowed=LONGEST_QUERY)
        if request.limit > MOST_PASSAGES:
            message = f"limit {request.limit} is not allowed: at most {MOST_PASSAGES}"
            raise DocumentRequestRefused(message, found=request.limit, allowed=MOST_PASSAGES)
        if request.mode not in SearchMode.values():
            raise DocumentRequestRefused(f"search mode {request.mode} is not known here")
        question = Question(
            request.query,
            limit=request.limit,
            threshold=request.threshold if request.HasField("threshold") else None,
            mode=request.mode,
            condition=request.filter if request.HasField("filter") else None,
        )
        names = dict.fromkeys(request.document_stores) or self._meant()
        stores = [self._store(name).searched for name in names]
        begun, well = perf_counter(), False
        try:
            passages, failures = await search(question, stores)
            well = not failures
        finally:
            searched(begun, well=well)
        return SearchDocumentsResponse(passages=passages, failures=failures)

    async def IndexDocuments(
        self, request: IndexDocumentsRequest, context: Context
    ) -> AsyncIterator[IndexDocumentsResponse]:
        async for status in self._one().index.updated(force=request.force):
            yield IndexDocumentsResponse(status=status)

    async def GetIndexStatus(
        self, request: GetIndexStatusRequest, context: Context
    ) -> GetIndexStatusResponse:
        return GetIndexStatusResponse(statuses=[self._store(name).index.status() for name in self._meant()])

    async def ListDocuments(self, request: ListDocumentsRequest, context: Context) -> ListDocumentsResponse:
        if request.page_size < 0:
            raise DocumentRequestRefused(
                f"page_size {request.page_size} is not allowed: 0 to {_LONGEST_PAGE}"
            )
        size = min(request.page_size or _PAGE, _LONGEST_PAGE)
        rows = self._one().index.documents(after=request.page_token, limit=size + 1)
        response = ListDocumentsResponse(
            next_page_token=rows[size - 1].document_id if len(rows) > size else ""
        )
        for row in rows[:size]:
            document = Document(
                name=row.document_id,
                title=row.document_id.rpartition("/")[2],
                source=row.source_uri,
                size_bytes=row.size_bytes,
                passages=row.chunk_count,
                error=row.error,
            )
            if row.modified_time_us:
                document.modify_time.FromMicroseconds(row.modified_time_us)
            document.index_time.FromMicroseconds(row.indexed_time_us)
            response.documents.append(document)
        return response

    def _meant(self) -> Sequence[str]:
        name = current_call.get().instance.removeprefix(_KIND)
        return [name] if name else sorted(self._stores)

    def _one(self) -> Store:
        names = self._meant()
        if len(names) != 1:
            known = ", ".join(names) or "none is configured"
            raise DocumentRequestRefused(
                f"which document store is meant? say it in hector-instance ({known})"
            )
        return self._store(names[0])

    def _store(self, name: str) -> Store:
        try:
            return self._stores[name]
        except KeyError:
            raise DocumentStoreNotFound(name, self._stores) from None
