"""The configs that a mesh has run on: immutable, numbered in the order in which they were first seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import IntegrityError

from .clock import now
from .database import Database
from .errors import RevisionContested
from .fitting import fit
from .schema import APP, HASH, URI, revisions

MAX_TRIES = 20
"""Each try loses against another process that has just taken the number."""

LAST = 2**31 - 1
_WITHOUT_TEXT = [column for column in revisions.columns if column is not revisions.c.text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One config, as it was written: variables are not filled in."""

    app: str
    id: str
    """Hash of the text: the same content is the same revision."""
    number: int
    """1, 2, 3 and so on within the app."""
    time_us: int
    """When it was first seen."""
    source: str
    """Where it came from: a file, the command line."""
    text: str
    """With a keyed hash in the place of every secret that was written out. Empty in a list."""
    applicable: bool
    """False: such secrets are missing in it, so it cannot be applied again."""


class Revisions:
    """The revisions of one app."""

    def __init__(self, database: Database, app: str = "default") -> None:
        fit("app", app, APP, empty=False)
        self._database, self._app = database, app

    async def put(self, revision_id: str, text: str, *, source: str, applicable: bool) -> Revision:
        """Keep a config, or find that it is kept: the first time, source and number stay.

        Safe from several processes at once: each number is given once, and none is left out.

        Raises:
            InvalidValue: A text is too long for its column.
            RevisionContested: Others kept taking the next number.
            HectorError: See `Database.write`.
        """
        fit("revision id", revision_id, HASH, empty=False)
        shown = source[:URI].rstrip(" ").replace("\0", "")
        for _ in range(MAX_TRIES):
            if (found := await self.get(revision_id)) is not None:
                return found
            try:
                return await self._database.write(
                    lambda connection: self._insert(connection, revision_id, text, shown, applicable),
                    size_bytes=len(text),
                )
            except IntegrityError:
                continue  # another process was faster: with the same content, or with the same number
        raise RevisionContested(revision_id, MAX_TRIES)

    async def get(self, which: str | int) -> Revision | None:
        """Return a revision by its id or number; None if there is none."""
        key = revisions.c.number if isinstance(which, int) else revisions.c.id
        if isinstance(which, int) and not 0 <= which <= LAST:
            return None
        statement = select(*_WITHOUT_TEXT, revisions.c.text).where(revisions.c.app == self._app, key == which)
        row = await self._database.read(lambda connection: connection.execute(statement).one_or_none())
        return None if row is None else _revision(*row[:-1], text=row[-1])

    async def list(self, *, before: int = LAST, limit: int = 50) -> Sequence[Revision]:
        """Return the revisions below number `before`, the latest first, without their texts."""
        statement = (
            select(*_WITHOUT_TEXT)
            .where(revisions.c.app == self._app, revisions.c.number < before)
            .order_by(revisions.c.number.desc())
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(statement).all())
        return [_revision(*row, text="") for row in rows]

    def _insert(
        self, connection: Connection, revision_id: str, text: str, source: str, applicable: bool
    ) -> Revision:
        last = select(func.max(revisions.c.number)).where(revisions.c.app == self._app)
        number = (connection.execute(last).scalar() or 0) + 1
        row = (self._app, revision_id, number, now(connection), source, applicable)
        names = [column.name for column in _WITHOUT_TEXT]
        connection.execute(insert(revisions), {**dict(zip(names, row, strict=True)), "text": text})
        return _revision(*row, text=text)


def _revision(
    app: str, revision_id: str, number: int, time_us: int, source: str, applicable: bool, *, text: str
) -> Revision:
    return Revision(
        app=app,
        id=revision_id,
        number=number,
        time_us=time_us,
        source=source,
        text=text,
        applicable=bool(applicable),
    )
