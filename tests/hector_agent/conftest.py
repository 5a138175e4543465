"""The databases that takeover is tested on."""

from pathlib import Path

import pytest
from support.databases import SERVERS, database_servers, used_databases

__all__ = ["database_servers", "used_databases"]


@pytest.fixture(params=["sqlite", *SERVERS])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/hector.db"
    server, name = request.getfixturevalue("used_databases")(request.param)
    url: str = server.url(name)
    return url
