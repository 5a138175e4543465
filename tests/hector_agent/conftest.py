"""The databases that takeover is tested on."""

from pathlib import Path

import pytest
from support.databases import SERVERS, database_servers, used_databases
from support.made_tables import made_tables

__all__ = ["database_servers", "made_tables", "used_databases"]


@pytest.fixture(params=["sqlite", *SERVERS])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/hector.db"
    server, name = request.getfixturevalue("used_databases")(request.param)
    url: str = server.url(name)
    return url


@pytest.fixture
def short_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let replicas stop at once, and look for runs often."""
    monkeypatch.setattr("hector_agent.runs.ENDING_S", 0.05)
    monkeypatch.setattr("hector_agent.at_work.STOPPING_S", 0.01)
    monkeypatch.setattr("hector_agent.claiming.POLL_S", 0.02)
