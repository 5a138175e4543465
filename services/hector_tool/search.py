"""The tool `search`: passages of the configured documents, each with what to cite."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import orjson
from pydantic import Field, create_model

from hector.common.v1 import ToolAnnotations
from hector.document.v1 import (
    INDEX_STATE_BUILDING,
    INDEX_STATE_FAILED,
    DocumentStoreStub,
    GetIndexStatusRequest,
    IndexStatus,
    Passage,
    SearchDocumentsRequest,
    SearchDocumentsResponse,
)
from hector.tool.v1 import ExecuteToolResponse, ToolContext
from hector_mesh import HectorError, Mesh, current_call
from hector_tool.arguments import Arguments
from hector_tool.builtin import BuiltIn
from hector_tool.config import ToolConfig
from hector_tool.errors import ToolDenied, ToolFailed
from hector_tool.output import capped, size_of

RESULT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "hits": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "document_store": {"type": "string"},
                    "document": {"type": "string"},
                    "source": {"type": "string"},
                    "title": {"type": "string"},
                    "start_line": {"type": "integer"},
                    "end_line": {"type": "integer"},
                    "score": {"type": "number"},
                    "content": {"type": "string"},
                },
            },
        },
        "total": {"type": "integer"},
    },
}
STATUS_WAIT_S = 2.0
"""How long to wait for the state of an index, which only adds a remark."""


class SearchArguments(Arguments):
    """What to look for."""

    query: str = Field(min_length=1, max_length=10_000, description="What to look for, in plain words.")
    limit: int | None = Field(
        None, ge=1, le=50, description="Most passages. Left out: as the documents are configured."
    )
    stores: list[str] | None = Field(
        None, description="Names of the document stores to search. Left out: all of them."
    )


def search(config: ToolConfig, mesh: Mesh) -> BuiltIn[SearchArguments]:
    """Return the tool over the document stores of `mesh`."""
    finder = _Finder(config, DocumentStoreStub(mesh))
    most = config.max_limit
    told = Field(None, ge=1, le=most, description="Most passages. Left out: as the documents are configured.")
    arguments = create_model("SearchArguments", __base__=SearchArguments, limit=(int | None, told))
    return BuiltIn(
        title="Search the documents",
        description=(
            "Finds passages of the documents. "
            "Each begins with its source in brackets, [file:first line-last line]: cite it like that. "
            "Use it before answering questions that the documents may answer."
        ),
        arguments=arguments,
        run=finder.run,
        annotations=ToolAnnotations(read_only=True, idempotent=True),
        result_schema=RESULT_SCHEMA,
    )


class _Finder:
    def __init__(self, config: ToolConfig, documents: DocumentStoreStub) -> None:
        self._config = config
        self._documents = documents

    async def run(self, arguments: SearchArguments, context: ToolContext) -> ExecuteToolResponse:
        stores = _chosen(arguments.stores, context)
        if stores == []:
            return _response("This agent has no documents to search.", arguments.query, ())
        request = SearchDocumentsRequest(
            query=arguments.query, document_stores=stores or (), limit=arguments.limit or 0
        )
        try:
            async with asyncio.TaskGroup() as group:
                state = group.create_task(self._index())
                passages = group.create_task(self._passages(request))
        except* (ToolFailed, HectorError) as failures:
            raise failures.exceptions[0] from None
        found, states = passages.result(), state.result()
        _check_searched(found, stores or [status.document_store for status in states])
        return self._shown(arguments.query, found, _remarks(found, states, stores))

    async def _passages(self, request: SearchDocumentsRequest) -> SearchDocumentsResponse:
        try:
            return await self._documents.SearchDocuments(request)
        except grpc.aio.AioRpcError as error:
            raise ToolFailed(f"the documents cannot be searched: {error.details()}") from error

    async def _index(self) -> Sequence[IndexStatus]:
        """Return the state of the indexes, if it can be had."""
        try:
            return (
                await self._documents.GetIndexStatus(GetIndexStatusRequest(), timeout=STATUS_WAIT_S)
            ).statuses
        except grpc.aio.AioRpcError:
            return ()

    def _shown(self, query: str, found: SearchDocumentsResponse, remarks: list[str]) -> ExecuteToolResponse:
        limit = self._config.max_output_size - size_of("\n".join(remarks)) - 512
        passages = found.passages[: self._config.max_limit]
        several = len({passage.document_store for passage in passages}) > 1
        blocks: list[str] = []
        for passage in passages:
            block = f"{_heading(passage, with_store=several)}\n{passage.content.strip()}\n"
            if size_of(block) + 1 > limit and blocks:
                remarks.append(f"{len(passages) - len(blocks)} more passages would be too long to show.")
                break
            blocks.append(capped(block, max(limit, 1024), "Ask for this file if there is a tool for it."))
            limit -= size_of(blocks[-1]) + 1
        # Remarks come first: whatever follows a heading is taken for the text of that passage.
        lines = [f"[{remark}]" for remark in remarks] + ([""] if remarks else [])
        where = "what could be searched" if found.failures else "the documents"
        lines += blocks or [f"Nothing in {where} matches {query[:200]!r}."]
        return _response("\n".join(lines), query, passages[: len(blocks)])


def _chosen(wanted: Sequence[str] | None, context: ToolContext) -> list[str] | None:
    """Return the stores to search; None is every store, [] is none.

    Raises:
        ToolDenied: One of those wanted is not among those that the agent may search.
    """
    scope: Sequence[str] | None = current_call.get().documents  # of the agent for which a plugin asks
    if context.HasField("documents"):
        scope = context.documents.document_stores
    if scope is None:
        return list(dict.fromkeys(wanted)) if wanted else None
    allowed = list(dict.fromkeys(scope))
    # Whether a store outside the scope exists is nobody's business: it is not there.
    foreign = [name for name in wanted or () if name not in allowed]
    if foreign:
        names = ", ".join(allowed) or "none"
        raise ToolDenied(
            f"there is no document store {foreign[0]!r} here (there are: {names})", store=foreign[0]
        )
    return list(dict.fromkeys(wanted)) if wanted else allowed


def _check_searched(found: SearchDocumentsResponse, stores: Sequence[str]) -> None:
    """See that there was something in which nothing matched, if nothing did.

    Raises:
        ToolFailed: All that was to be searched failed.
    """
    failed = {failure.document_store for failure in found.failures}
    if failed and not found.passages and failed.issuperset(stores):
        why = "; ".join(f"{failure.document_store}: {failure.error}" for failure in found.failures)
        raise ToolFailed(f"the documents cannot be searched: {why}")


def _remarks(
    found: SearchDocumentsResponse, states: Sequence[IndexStatus], stores: list[str] | None
) -> list[str]:
    """Return what the model should know about what it does not see."""
    remarks = [
        f"The store {failure.document_store} could not be searched: {failure.error}"
        for failure in found.failures
    ]
    failed = {failure.document_store for failure in found.failures}
    for status in states:
        name = status.document_store
        if name in failed or (stores is not None and name not in stores):
            continue
        if status.state == INDEX_STATE_BUILDING:
            progress = f"{status.documents_indexed} of {status.documents_total} documents so far"
            remarks.append(f"The index of {name} is still being built ({progress}): there may be more.")
        elif status.state == INDEX_STATE_FAILED:
            remarks.append(f"The index of {name} may be out of date: {status.error}")
    return remarks


def _heading(passage: Passage, *, with_store: bool) -> str:
    lines = f":{passage.start_line}-{passage.end_line}" if passage.start_line else ""
    title = f" {passage.title}" if passage.title else ""
    store = f" ({passage.document_store})" if with_store else ""
    return f"[{passage.source or passage.document}{lines}]{title}{store}"


def _response(text: str, query: str, passages: Sequence[Passage]) -> ExecuteToolResponse:
    hits = [
        {
            "document_store": passage.document_store,
            "document": passage.document,
            "source": passage.source,
            "title": passage.title,
            "start_line": passage.start_line,
            "end_line": passage.end_line,
            "score": round(passage.score, 6),
            "content": passage.content,
        }
        for passage in passages
    ]
    structured = orjson.dumps({"query": query, "hits": hits, "total": len(hits)}).decode()
    return ExecuteToolResponse(result=text, structured_json=structured)
