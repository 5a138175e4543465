"""Every database that the store's suite runs on: another one is another line in DATABASES."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from support.databases import SERVERS, DatabaseServer, database_servers, used_databases
from support.made_tables import made_tables

from hector_store import Database, RunLog, opened

__all__ = ["database_servers", "made_tables", "used_databases"]

DATABASES: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite://{folder}/hector.db",
    "inmemory": lambda folder: "inmemory",
}


@pytest.fixture(params=[*DATABASES, *SERVERS])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param in DATABASES:
        return DATABASES[request.param](tmp_path)
    server, name = request.getfixturevalue("used_databases")(request.param)
    url: str = server.url(name)
    return url


@pytest.fixture(params=["sqlite", *SERVERS])
def lasting_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several processes can open."""
    if request.param in DATABASES:
        return DATABASES[request.param](tmp_path)
    server, name = request.getfixturevalue("used_databases")(request.param)
    url: str = server.url(name)
    return url


@pytest.fixture(params=["sqlite", *SERVERS])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param in DATABASES:
        yield DATABASES[request.param](tmp_path)
        return
    server = request.getfixturevalue("database_servers")(request.param)
    with server.new_database() as name:
        yield server.url(name)


@pytest.fixture(params=SERVERS)
def database_server(
    request: pytest.FixtureRequest, database_servers: Callable[[str], DatabaseServer]
) -> DatabaseServer:
    """A server of each kind."""
    return database_servers(request.param)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def log(database: Database) -> RunLog:
    return RunLog(database)
