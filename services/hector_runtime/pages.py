"""What the border shows of the config: its schema, the values in effect, the revisions that there were."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grpc import StatusCode

from hector_config import Loaded, Sealed
from hector_gateway.config_source import ConfigSource
from hector_mesh import HectorError

from .config import Config

if TYPE_CHECKING:
    from hector_store import Revision

Shown = dict[str, object]
RECORD_S = 30.0


class NoRevisionsHere(HectorError):
    """This process does not keep the revisions."""

    code, reason = StatusCode.FAILED_PRECONDITION, "NO_REVISIONS_HERE"

    def __init__(self) -> None:
        super().__init__("the process that runs the role agent keeps the revisions; ask a gateway beside it")


class Pages:
    """The running config, for those who may see it."""

    def __init__(self, config: Config, loaded: Loaded[Config], sealed: Sealed, *, keeps: bool) -> None:
        """Take what there is to show.

        Args:
            config: What runs, the command line's own included.
            loaded: The file behind it.
            sealed: The file as it is kept.
            keeps: Whether this process has the database, and will `record`.
        """
        self._keeps, self._recorded = keeps, asyncio.Event()
        self._config, self._sealed = config, sealed
        self._source = _source(loaded)
        self._waiting: list[str] = []
        self.stored: Revision | None = None
        """What was kept of it; None: this process keeps nothing."""

    def source(self) -> ConfigSource:
        """Return what the border needs."""
        return ConfigSource(self.id, self.schema, self.config, self.revisions, self.revision)

    @property
    def id(self) -> str:
        """The revision's id."""
        return self._sealed.id

    async def record(self) -> None:
        """Write the revision down, or find that it is known.

        Raises:
            HectorError: The database cannot be written.
        """
        self.stored = await self._put(self._sealed)
        self._recorded.set()

    async def renewed(self, config: Config, sealed: Sealed, waiting: list[str]) -> Callable[[], None]:
        """Write another revision down, and return what shows it from then on.

        Args:
            config: What is in effect then.
            sealed: The file as it is kept.
            waiting: Keys of the file that wait for a restart.

        Raises:
            HectorError: The database cannot be written.
        """
        stored = await self._put(sealed) if self._keeps else None

        def commit() -> None:
            self._config, self._sealed, self._waiting, self.stored = config, sealed, waiting, stored

        return commit

    async def _put(self, sealed: Sealed) -> "Revision":
        from hector_store import Revisions, opened  # SQLAlchemy: only where the database is

        async with opened(self._config.storage.database) as database:
            return await Revisions(database).put(
                sealed.id, sealed.text, source=self._source, applicable=sealed.applicable
            )

    async def schema(self) -> bytes:
        """Return the JSON Schema of config files."""
        return await asyncio.to_thread(_schema)  # half a second of work, the first time

    async def config(self) -> Shown:
        """Return the values in effect, without secrets, and which revision they are from."""
        await self._settled()
        return await asyncio.to_thread(self._shown)

    async def revisions(self, before: int | None, limit: int) -> list[Mapping[str, object]]:
        """Return the revisions below a number, the latest first, without their texts.

        Raises:
            NoRevisionsHere: They are kept elsewhere.
        """
        if not self._keeps:
            raise NoRevisionsHere
        await self._settled()
        from hector_store import Revisions, opened
        from hector_store.revisions import LAST

        async with opened(self._config.storage.database) as database:
            found = await Revisions(database).list(before=before or LAST, limit=limit)
        return [_described(one) for one in found]

    async def revision(self, which: str) -> Mapping[str, object] | None:
        """Return a revision by number or id, with its text; None if there is none.

        Raises:
            NoRevisionsHere: They are kept elsewhere.
        """
        if not self._keeps:
            raise NoRevisionsHere
        await self._settled()
        from hector_store import Revisions, opened

        number = int(which) if which.isdecimal() and len(which) < 10 else None
        async with opened(self._config.storage.database) as database:
            found = await Revisions(database).get(which if number is None else number)
        return None if found is None else {**_described(found), "text": found.text}

    async def _settled(self) -> None:
        """Wait for `record`: the border listens a moment before it is done."""
        if self._keeps:
            async with asyncio.timeout(RECORD_S):
                await self._recorded.wait()

    def _shown(self) -> Shown:
        from hector_config import masked_data  # brings YAML's writer along

        known = {
            "revision": self._sealed.id,
            "number": None,
            "source": self._source,
            "applicable": self._sealed.applicable,
            "needs_restart": self._waiting,
        }
        stored = _described(self.stored) if self.stored else {}
        return {**known, **stored, "config": masked_data(self._config)}


def _described(revision: "Revision") -> Shown:
    return {
        "revision": revision.id,
        "number": revision.number,
        "time": datetime.fromtimestamp(revision.time_us / 1e6, UTC).isoformat(timespec="milliseconds"),
        "source": revision.source,
        "applicable": revision.applicable,
    }


def _source(loaded: Loaded[Config]) -> str:
    return str(Path(loaded.file).absolute()) if loaded.is_file else loaded.file


def _schema() -> bytes:
    import json

    from .schema import schema

    return json.dumps(schema(), ensure_ascii=False).encode()
