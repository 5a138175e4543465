"""Which server a command talks to: the one at --url, the one at the default address, or none."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from hector_a2a.client import Client
from hector_runtime.asking import Asker, in_process
from hector_runtime.zero import Flags

from .options import read_config, whole_config

DEFAULT_URL = "http://127.0.0.1:8080"
PROBE_S = 0.3


@asynccontextmanager
async def asker(
    url: str | None, token: str | None, config_file: Path | None, flags: Flags, database: str | None
) -> AsyncIterator[Asker]:
    """Return whoever answers: a server, or a mesh in this process on a database that is thrown away.

    A config file or its flags mean: here. Else the server at `url`, or at the default address.
    """
    here = config_file is not None or bool(flags.given())
    url = url or os.environ.get("HECTOR_URL") or (None if here else await _default_server())
    if url is not None:
        async with Client(url, token=token or os.environ.get("HECTOR_TOKEN")) as client:
            yield client
        return
    config, _ = await whole_config(
        read_config(config_file, flags), {"storage": {"database": database or "inmemory"}}
    )
    async with in_process(config) as mesh:
        yield mesh


async def _default_server() -> str | None:
    place = urlsplit(DEFAULT_URL)
    try:
        async with asyncio.timeout(PROBE_S):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
    except (OSError, TimeoutError):
        return None
    writer.close()
    return DEFAULT_URL
