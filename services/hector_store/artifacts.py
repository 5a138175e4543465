"""Artifacts with versions: contents in the database, or outside of it where they are large."""

import hashlib
from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from . import artifact_rows as rows
from .artifact_rows import forget
from .blobs import Blobs
from .clock import now
from .database import Database
from .errors import ArtifactContended, ArtifactContentGone, ArtifactTooLarge
from .ids import new_id
from .kept import ArtifactPage, ArtifactRow, NewArtifact

__all__ = ["Artifacts", "forget", "hash_of"]

FORSAKEN_S = 3600.0
"""How long a content that nothing refers to is left alone: it may be on its way."""
_ATTEMPTS = 5
_PIECE = 100


class Artifacts:
    """The artifacts of one database. What belongs to somebody else is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def _blobs(self) -> Blobs | None:
        return self._database.blobs

    async def prepared(self, app: str, artifact: NewArtifact) -> NewArtifact:
        """Put the content of an artifact outside, where it is large; to be written soon after.

        That it is there is written down first: what dies before the artifact is written, `sweep` finds.

        Raises:
            HectorError: BLOBS_UNREACHABLE: the content could not be put.
        """
        blobs = self._blobs
        if blobs is None or artifact.place or artifact.size_bytes <= blobs.larger_than:
            return artifact
        key = new_id()
        place = f"{key[-2:]}/{key}"
        await self._database.write(lambda connection: rows.intend(connection, app, place))
        await blobs.put(place, artifact.data)
        return artifact._replace(data=b"", place=place)

    async def save(self, app: str, artifact: NewArtifact) -> ArtifactRow:
        """Write the next version of an artifact.

        Raises:
            InvalidValue: Its name does not fit.
            ArtifactTooLarge: It is.
            HectorError: See `prepared`, and `Database.write`.
        """
        most = self._database.artifact_bytes
        if artifact.size_bytes > most:
            raise ArtifactTooLarge(artifact.name, artifact.size_bytes, most)
        size_bytes = rows.fit_artifacts([artifact])
        ready = await self.prepared(app, artifact)

        def write(connection: Connection) -> ArtifactRow:
            return rows.insert_artifacts(connection, [(app, ready)], now(connection))[0]

        for _ in range(_ATTEMPTS):
            try:
                return await self._database.write(write, size_bytes=size_bytes)
            except IntegrityError:  # another process took the number in the same moment
                continue
        raise ArtifactContended(artifact.name)

    async def load(
        self, app: str, owner: str, context_id: str, name: str, version: int = 0
    ) -> tuple[ArtifactRow, bytes] | None:
        """Return a version with its content, 0 being the newest; None when there is none.

        Raises:
            ArtifactContentGone: The content is not where it was put, or not what it was.
            HectorError: BLOBS_UNREACHABLE.
        """
        found = await self._database.read(
            lambda connection: rows.find(connection, app, owner, context_id, name, version)
        )
        if found is None:
            return None
        row, data = found
        if row.place and not row.place.startswith(rows.PIECES):
            got = await self._blobs.get(row.place) if self._blobs is not None else None
            if got is None:
                raise ArtifactContentGone(name)
            data = got
        if hash_of(data) != row.hash:
            raise ArtifactContentGone(name)
        return row, data

    async def page(
        self, app: str, owner: str, context_id: str, name: str = "", size: int = 50, token: str = ""
    ) -> ArtifactPage:
        """Return one page: the newest of each name of a session and its user, or all versions of one name.

        Raises:
            InvalidPageToken: The token is not one of ours.
        """
        return await self._database.read(
            lambda connection: rows.page(connection, app, owner, context_id, name, size, token)
        )

    async def delete(self, app: str, owner: str, context_id: str, name: str, version: int = 0) -> int:
        """Remove a version of an artifact, or all of them, and return how many there were."""
        return await self._database.write(
            lambda connection: forget(connection, app, owner, context_id, name, version)
        )

    async def sweep(self, older_than_s: float = FORSAKEN_S) -> int:
        """Delete contents outside that nothing refers to, and pieces in the database; return how many.

        Raises:
            HectorError: BLOBS_UNREACHABLE: what is left is deleted the next time.
        """
        count = await self._database.write(rows.delete_orphans)
        while self._blobs is not None:
            keys = await self._database.read(partial(rows.forsaken, older_than_s=older_than_s, limit=_PIECE))
            if not keys:
                break
            for key in keys:
                await self._blobs.delete(key)
            await self._database.write(partial(rows.forgotten, keys=keys))
            count += len(keys)
        return count

    async def problems(self) -> Sequence[str]:
        """Return what is wrong with contents, in a sentence each: those that are missing."""
        found = await self._database.read(rows.broken)
        told = [f"artifact {name!r}: its content in table blobs is gone" for name in found]
        last = ""
        while True:
            keys = await self._database.read(partial(rows.outside, after=last, limit=_PIECE))
            for key in keys:
                if self._blobs is None:
                    told.append(f"content {key}: it is kept outside, and no storage.blobs.url says where")
                elif not await self._blobs.has(key):
                    told.append(f"content {key}: it is not in {self._blobs.name}")
            if not keys:
                return told
            last = keys[-1]


def hash_of(data: bytes) -> str:
    """Return the hash that stands in an artifact's row."""
    return hashlib.sha256(data).hexdigest()
