"""Versions of artifacts as rows: how they are written, found and forgotten in a transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, insert, select

from .clock import now
from .compiled import ManyRows
from .doomed import doom, gone
from .errors import ArtifactContentGone
from .fitting import fit
from .ids import new_id
from .kept import ArtifactPage, ArtifactRow, NewArtifact
from .paging import key_of, token_after
from .schema import CONTEXT_ID, ERROR, INLINE_BYTES, NAME, OWNER, artifacts, blobs, doomed_objects

PIECES = "blob:"
"""Before the id of a content that is kept in pieces, in the database."""

_C = artifacts.c
_COLUMNS = tuple(column.name for column in artifacts.columns)
_INSERT = ManyRows(insert(artifacts), _COLUMNS)
_INSERT_PIECES = ManyRows(insert(blobs), ("id", "part", "app", "run_id", "size_bytes", "data"))
_ROW = (
    *(_C.app, _C.owner, _C.context_id, _C.name, _C.version, _C.run_id, _C.media_type, _C.description),
    *(_C.size_bytes, _C.hash, _C.place, _C.time),
)


def fit_artifacts(found: Iterable[NewArtifact]) -> int:
    """Check new artifacts, and return the size of what goes into the database."""
    size_bytes = 0
    for artifact in found:
        fit("artifact name", artifact.name, NAME, empty=False)
        fit("owner", artifact.owner, OWNER)
        fit("media type", artifact.media_type, CONTEXT_ID)
        fit("description", artifact.description.rstrip(" "), ERROR)
        size_bytes += len(artifact.data)
    return size_bytes


def insert_artifacts(
    connection: Connection, found: Sequence[tuple[str, NewArtifact]], time_us: int
) -> list[ArtifactRow]:
    """Write versions, each with its app, under the next number of its name.

    Raises:
        IntegrityError: Another process took the number meanwhile.
        ArtifactContentGone: Its content was put outside so long ago that it was deleted there.
    """
    last: dict[tuple[str, str, str, str], int] = {}
    rows: list[ArtifactRow] = []
    values: list[tuple[object, ...]] = []
    for app, new in found:
        key = (app, new.owner, new.context_id, new.name)
        if key not in last:
            last[key] = connection.execute(select(func.max(_C.version)).where(*_of(*key))).scalar() or 0
        last[key] += 1
        place, data = new.place, new.data
        if place:
            if not gone(connection, [place]):
                raise ArtifactContentGone(new.name)
        elif len(data) > INLINE_BYTES:
            place, data = f"{PIECES}{_insert_pieces(connection, app, data)}", b""
        described = (new.media_type, new.description.rstrip(" "), new.size_bytes, new.hash)
        row = ArtifactRow(*key, last[key], new.run_id, *described, place, time_us)
        rows.append(row)
        values.append((*key, row.version, row.run_id, *described, place, time_us, data))
    if values:
        _INSERT.execute(connection, values)
    return rows


def intend(connection: Connection, app: str, place: str) -> None:
    """Remember a content that is about to be put outside, so that it is found if nothing comes of it."""
    doom(connection, app, [place])


def find(
    connection: Connection, app: str, owner: str, context_id: str, name: str, version: int
) -> tuple[ArtifactRow, bytes] | None:
    """Return a version, 0 being the newest, with the content that the database has."""
    statement = select(*_ROW, _C.data).where(*_of(app, owner, context_id, name))
    statement = statement.where(_C.version == version) if version else statement.order_by(_C.version.desc())
    found = connection.execute(statement.limit(1)).one_or_none()
    if found is None:
        return None
    row, data = ArtifactRow(*found[:-1]), bytes(found[-1])
    if row.place.startswith(PIECES):
        pieces = select(blobs.c.data).where(blobs.c.id == row.place.removeprefix(PIECES))
        data = b"".join(connection.execute(pieces.order_by(blobs.c.part)).scalars())
    return row, data


def page(
    connection: Connection, app: str, owner: str, context_id: str, name: str, size: int, token: str
) -> ArtifactPage:
    """Return one page: the newest of each name of a session and its user, or all versions of one name."""
    mine = and_(_C.app == app, _C.owner == owner, _C.context_id.in_(["", context_id]))
    statement: Select[Any] = select(*_ROW).where(mine)
    if name:
        statement = statement.where(_C.name == name).order_by(_C.version.desc())
        if token:
            statement = statement.where(_C.version < key_of(token, 1)[0])
    else:
        newest = (
            select(_C.context_id, _C.name, func.max(_C.version).label("version"))
            .where(mine)
            .group_by(_C.context_id, _C.name)
            .subquery()
        )
        same = and_(
            newest.c.context_id == _C.context_id, newest.c.name == _C.name, newest.c.version == _C.version
        )
        statement = statement.join(newest, same).order_by(_C.name)
        if token:
            statement = statement.where(_C.name > key_of(token, 1)[1][0])
    rows = [ArtifactRow(*row) for row in connection.execute(statement.limit(size + 1))]
    more, rows = len(rows) > size, rows[:size]
    return ArtifactPage(tuple(rows), token_after(rows[-1].version, rows[-1].name) if more else "")


def forget(
    connection: Connection,
    app: str,
    owner: str,
    context_id: str | None = None,
    name: str | None = None,
    version: int = 0,
) -> int:
    """Remove a version, a name, all that a session has, or all that a user has; return how many went.

    Contents outside the database are doomed: `Artifacts.sweep` deletes them.
    """
    which = [_C.app == app, _C.owner == owner]
    if context_id is not None:
        which.append(_C.context_id == context_id)
    if name is not None:
        which.append(_C.name == name)
    if version:
        which.append(_C.version == version)
    places = connection.execute(select(_C.place).where(*which, _C.place != "")).scalars().all()
    count = connection.execute(delete(artifacts).where(*which)).rowcount
    ids = [place.removeprefix(PIECES) for place in places if place.startswith(PIECES)]
    if ids:
        connection.execute(delete(blobs).where(blobs.c.id.in_(ids)))
    doom(connection, app, [place for place in places if not place.startswith(PIECES)])
    return count


def forsaken(connection: Connection, older_than_s: float, limit: int) -> Sequence[str]:
    """Return contents outside that nothing refers to, and nothing that is under way will."""
    before = now(connection) - int(older_than_s * 1_000_000)
    taken = select(_C.place).where(_C.place == doomed_objects.c.object_key).exists()
    statement = select(doomed_objects.c.object_key).where(doomed_objects.c.time <= before, ~taken)
    return connection.execute(statement.order_by(doomed_objects.c.time).limit(limit)).scalars().all()


def outside(connection: Connection, after: str, limit: int) -> Sequence[str]:
    """Return keys of contents that are kept outside the database, in order."""
    elsewhere = and_(_C.place > after, ~_C.place.startswith(PIECES, autoescape=True))
    return (
        connection.execute(select(_C.place).where(elsewhere).order_by(_C.place).limit(limit)).scalars().all()
    )


def broken(connection: Connection) -> Sequence[str]:
    """Return names of versions whose pieces in the database are gone."""
    there = select(blobs.c.id).where(_C.place == PIECES + blobs.c.id).exists()
    statement = select(_C.name).where(_C.place.startswith(PIECES, autoescape=True), ~there)
    return connection.execute(statement).scalars().all()


def delete_orphans(connection: Connection) -> int:
    """Delete pieces in the database that no version refers to, and return of how many contents."""
    named = select(_C.place).where(_C.place == PIECES + blobs.c.id).exists()
    ids = connection.execute(
        select(blobs.c.id).where(blobs.c.run_id.is_(None), blobs.c.part == 0, ~named)
    ).scalars()
    found = list(ids)
    if found:
        connection.execute(delete(blobs).where(blobs.c.id.in_(found)))
    return len(found)


def forgotten(connection: Connection, keys: Sequence[str]) -> None:
    """Take note that contents outside are deleted."""
    gone(connection, keys)


def _of(app: str, owner: str, context_id: str, name: str) -> tuple[Any, ...]:
    return (_C.app == app, _C.owner == owner, _C.context_id == context_id, _C.name == name)


def _insert_pieces(connection: Connection, app: str, data: bytes) -> str:
    blob_id = new_id()
    rows = [
        (blob_id, part, app, None, len(data), data[start : start + INLINE_BYTES])
        for part, start in enumerate(range(0, len(data), INLINE_BYTES))
    ]
    _INSERT_PIECES.execute(connection, rows)
    return blob_id
