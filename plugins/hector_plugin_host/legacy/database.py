"""v1.9.9's DatabaseProvider as today's."""

import json
import struct
from typing import Any

from grpc import StatusCode

from hector.vector.v1 import (
    CreateCollectionRequest,
    CreateCollectionResponse,
    DatabaseProviderServicer,
    DeleteCollectionRequest,
    DeleteCollectionResponse,
    DeleteVectorsRequest,
    DeleteVectorsResponse,
    SearchVectorsRequest,
    SearchVectorsResponse,
    UpsertVectorsRequest,
    UpsertVectorsResponse,
    VectorRecord,
    VectorResult,
)
from hector_mesh import Context, HectorError

from .asking import Service, done
from .wire import message

USUAL = 10
"""Results, where nobody says how many."""
CONTENT = "content"
"""The key of a record's text among what v1.9.9 keeps beside a vector."""
NUMBERS = frozenset({"chunk_index", "chunk_total", "start_line", "end_line", "text_start"})
"""The keys of what Hector's documents keep beside a vector that are numbers; all others are strings."""


class NotInItsContract(HectorError):
    """v1.9.9's plugins have no words for it."""

    code, reason = StatusCode.UNIMPLEMENTED, "PLUGIN_TOO_OLD"
    domain = "hector.plugin"

    def __init__(self, what: str) -> None:
        super().__init__(f"a plugin of v1.9.9's contract cannot {what}")


class TranslatedDatabase(DatabaseProviderServicer):
    """Asks a plugin that knows one vector at a time, and metadata that is all strings."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def CreateCollection(
        self, request: CreateCollectionRequest, context: Context
    ) -> CreateCollectionResponse:
        made = message("CreateCollectionRequest")(collection=request.name, vector_size=request.dimension)
        await done(self._service.ask("CreateCollection", made, "Outcome"))
        return CreateCollectionResponse(success=True)

    async def DeleteCollection(
        self, request: DeleteCollectionRequest, context: Context
    ) -> DeleteCollectionResponse:
        gone = message("DeleteCollectionRequest")(collection=request.name)
        await done(self._service.ask("DeleteCollection", gone, "Outcome"))
        return DeleteCollectionResponse(success=True)

    async def UpsertVectors(self, request: UpsertVectorsRequest, context: Context) -> UpsertVectorsResponse:
        for record in request.vectors:
            kept = message("UpsertRequest")(
                collection=request.collection, id=record.id, vector=_floats(record), metadata=_words(record)
            )
            await done(self._service.ask("Upsert", kept, "Outcome"))
        return UpsertVectorsResponse(success=True, upserted=len(request.vectors))

    async def SearchVectors(self, request: SearchVectorsRequest, context: Context) -> SearchVectorsResponse:
        if request.HasField("filter"):
            raise NotInItsContract("search by a filter")
        vector = _unpacked(request.vector_f32) or request.vector
        if not vector:
            raise NotInItsContract("search by words")
        wanted = (request.limit or USUAL) + request.offset
        asked = message("SearchRequest")(collection=request.collection, vector=vector, top_k=wanted)
        answer = await done(self._service.ask("Search", asked, "SearchResponse"))
        found = [_result(one) for one in answer.results[request.offset :]]
        least = request.threshold if request.HasField("threshold") else float("-inf")
        return SearchVectorsResponse(success=True, results=[one for one in found if one.score >= least])

    async def DeleteVectors(self, request: DeleteVectorsRequest, context: Context) -> DeleteVectorsResponse:
        if request.HasField("filter"):
            raise NotInItsContract("delete by a filter")
        for each in request.ids:
            gone = message("DeleteRequest")(collection=request.collection, id=each)
            await done(self._service.ask("Delete", gone, "Outcome"))
        return DeleteVectorsResponse(success=True, deleted=len(request.ids))


def _floats(record: VectorRecord) -> Any:
    return _unpacked(record.vector_f32) or record.vector


def _unpacked(packed: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(packed) // 4}f", packed)


def _words(record: VectorRecord) -> list[Any]:
    """Return metadata as strings, the record's text among it."""
    facts: dict[str, Any] = json.loads(record.metadata_json or "{}")
    if record.content:
        facts.setdefault(CONTENT, record.content)
    shown = {key: one if isinstance(one, str) else json.dumps(one) for key, one in facts.items()}
    return [message("MetadataEntry")(key=key, value=value) for key, value in shown.items()]


def _result(found: Any) -> VectorResult:
    facts: dict[str, Any] = {entry.key: entry.value for entry in found.metadata}
    content = found.content or facts.get(CONTENT, "")
    if facts.get(CONTENT) == content:
        del facts[CONTENT]
    facts |= {key: int(value) for key, value in facts.items() if key in NUMBERS and value.isdecimal()}
    return VectorResult(
        id=found.id, score=found.score, content=content, metadata_json=json.dumps(facts, ensure_ascii=False)
    )
