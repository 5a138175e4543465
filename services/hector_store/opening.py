"""Databases shared by everybody in a process who asks for the same URL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

from .database import Database
from .server_url import ServerPlace
from .url import Place, parse


class _Shared:
    def __init__(self) -> None:
        self.users = 0
        self.opening = asyncio.Lock()
        self.database: Database | None = None


# Per event loop: a database is of the loop it was opened on.
_open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Place | ServerPlace, _Shared]] = WeakKeyDictionary()


@asynccontextmanager
async def opened(url: str, *, folder: Path | None = None) -> AsyncIterator[Database]:
    """Open a database, or share the one that is open already; the last one out closes it.

    Args:
        url: As in `storage.database`; see `url.parse`.
        folder: What a relative path belongs to; None is the working directory.

    Raises:
        HectorError: It cannot be used; the message names the file and the next step.
    """
    place = parse(url, folder or Path.cwd())
    places = _open.setdefault(asyncio.get_running_loop(), {})
    shared = places.setdefault(place, _Shared())
    shared.users += 1
    try:
        async with shared.opening:
            if shared.database is None:
                database = Database(place)
                await database.open()
                shared.database = database
        yield shared.database
    finally:
        shared.users -= 1
        if not shared.users:
            if places.get(place) is shared:
                del places[place]
            if shared.database is not None:
                await shared.database.close()
