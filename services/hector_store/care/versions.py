"""Which schema a database has, without changing it."""

import asyncio
import sqlite3
from contextlib import closing

from sqlalchemy import Connection, inspect, text

from hector_store.migrations import VERSION_TABLE
from hector_store.server import let_all_go, server_of, writer_engine
from hector_store.server_url import ServerPlace
from hector_store.sqlite import explained
from hector_store.url import Place

_FOUND = f"SELECT version_num FROM {VERSION_TABLE}"


async def schema_of(place: Place | ServerPlace) -> str:
    """Return the schema of a database; "" when it has none, or is not there.

    Raises:
        HectorError: It cannot be read; the message names it and the next step.
    """
    if isinstance(place, ServerPlace):
        return await _on_server(place)
    return await asyncio.to_thread(_in_file, place)


def _in_file(place: Place) -> str:
    if place.file is None or not place.file.exists() or not place.file.stat().st_size:
        return ""
    try:
        with closing(sqlite3.connect(f"file:{_quoted(place)}?mode=ro", uri=True, timeout=10)) as connection:
            known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
            if connection.execute(known, (VERSION_TABLE,)).fetchone() is None:
                return ""
            row = connection.execute(_FOUND).fetchone()
    except sqlite3.Error as error:
        raise explained(error, place) from error
    return str(row[0]) if row else ""


def _quoted(place: Place) -> str:
    return str(place.file).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


async def _on_server(place: ServerPlace) -> str:
    from hector_store.drivers import need_driver

    need_driver(place)
    server = server_of(place)
    engine = writer_engine(server)

    def read(connection: Connection) -> str:
        if not inspect(connection).has_table(VERSION_TABLE):
            return ""
        return str(connection.execute(text(_FOUND)).scalar() or "")

    try:
        async with asyncio.timeout(2 * place.connect_s), engine.connect() as connection:
            return await connection.run_sync(read)
    except Exception as error:
        failure = server.explained(error)
        if failure is error:
            raise
        raise failure from error
    finally:
        await let_all_go(engine)
