"""What a document room has indexed, kept so that a restart indexes only what has changed."""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, fields, replace

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from .clock import now
from .database import Database
from .errors import InvalidValue
from .fitting import fit
from .schema import APP, CONTEXT_ID, HASH, NAME, URI, WORD, documents


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """What is known of one document."""

    app: str
    store: str
    document_id: str
    source_uri: str = ""
    content_hash: str = ""
    pipeline_hash: str = ""
    """Of parser, chunker and embedder: when it is another one, the document must be indexed again."""
    chunk_count: int = 0
    state: str = "indexed"
    error: str = ""
    size_bytes: int = 0
    modified_time_us: int = 0
    indexed_time_us: int = 0
    """0: the time of the commit."""


ERROR = 4000
"""Characters of an error that are kept: some databases end a text at 64 KiB."""

_COLUMNS = tuple(documents.columns)  # in the order of DocumentRow's fields
_FIELDS = tuple(field.name for field in fields(DocumentRow))
_THIS = (
    documents.c.app == bindparam("of_app"),
    documents.c.store == bindparam("of_store"),
    documents.c.document_id == bindparam("of_document"),
)


class DocumentIndex:
    """The documents of one store of one app."""

    def __init__(self, database: Database, app: str, store: str) -> None:
        self._database, self._app, self._store = database, app, store
        self._of_store = (documents.c.app == app, documents.c.store == store)

    async def put(self, rows: Sequence[DocumentRow]) -> None:
        """Write what is known of documents, in place of what was.

        Raises:
            InvalidValue: A text is too long for its column, or a row is another store's.
            HectorError: See `Database.write`.
        """
        for row in rows:
            _fit(row, self._app, self._store)
        kept = [replace(row, error=row.error.replace("\0", "")[:ERROR]) for row in rows]
        if kept:
            await self._database.write(lambda connection: _put(connection, kept), rows=len(kept))

    async def get(self, document_id: str) -> DocumentRow | None:
        """Return what is known of one document."""
        found = await self._select(documents.c.document_id == document_id, limit=1)
        return found[0] if found else None

    async def list(self, *, after: str = "", limit: int | None = None) -> Sequence[DocumentRow]:
        """Return what is known of all documents behind id `after`, in order of their ids."""
        return await self._select(documents.c.document_id > after, limit=limit)

    async def states(self) -> dict[str, int]:
        """Return how many documents are in each state."""
        statement = select(documents.c.state, func.count()).where(*self._of_store).group_by(documents.c.state)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return {state: count for state, count in rows}  # noqa: C416 - rows are no tuples to mypy

    async def delete(self, document_ids: Collection[str]) -> None:
        """Forget documents; unknown ids do not matter."""
        keys = [_key(self._app, self._store, document_id) for document_id in document_ids]
        if keys:
            await self._database.write(
                lambda connection: connection.execute(delete(documents).where(*_THIS), keys), rows=len(keys)
            )

    async def clear(self) -> None:
        """Forget all documents of the store."""
        await self._database.write(
            lambda connection: connection.execute(delete(documents).where(*self._of_store))
        )

    async def _select(self, condition: object, *, limit: int | None) -> Sequence[DocumentRow]:
        statement = select(*_COLUMNS).where(*self._of_store, condition).order_by(documents.c.document_id)  # type: ignore[arg-type]
        if limit is not None:
            statement = statement.limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return [DocumentRow(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


def _put(connection: Connection, rows: Sequence[DocumentRow]) -> None:
    # Deleted and inserted: the three databases have no common way to insert or update.
    time_us = now(connection)
    latest = {row.document_id: row for row in rows}
    keys = [_key(row.app, row.store, row.document_id) for row in latest.values()]
    connection.execute(delete(documents).where(*_THIS), keys)
    stamped = (
        row if row.indexed_time_us else replace(row, indexed_time_us=time_us) for row in latest.values()
    )
    names = [column.name for column in _COLUMNS]
    connection.execute(insert(documents), [dict(zip(names, astuple(row), strict=True)) for row in stamped])


def _key(app: str, store: str, document_id: str) -> dict[str, str]:
    return {"of_app": app, "of_store": store, "of_document": document_id}


def _fit(row: DocumentRow, app: str, store: str) -> None:
    if (row.app, row.store) != (app, store):
        raise InvalidValue("document", f"of store {row.store!r} of app {row.app!r}", f"{store!r} of {app!r}")
    fit("app", row.app, APP, empty=False)
    fit("store", row.store, NAME, empty=False)
    fit("document id", row.document_id, CONTEXT_ID, empty=False)
    fit("source uri", row.source_uri, URI)
    fit("content hash", row.content_hash, HASH)
    fit("pipeline hash", row.pipeline_hash, HASH)
    fit("document state", row.state, WORD, empty=False)
