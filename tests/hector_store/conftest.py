"""Every database that the store's suite runs on: another one is another line in DATABASES."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hector_store import Database, RunLog, opened

DATABASES: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite://{folder}/hector.db",
    "inmemory": lambda folder: "inmemory",
}


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    return DATABASES[request.param](tmp_path)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def log(database: Database) -> RunLog:
    return RunLog(database)
