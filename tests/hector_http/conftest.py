"""What holds for the client holds over both of its ways to send a request."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import hector_http.client


@pytest.fixture(autouse=True)
async def bounded() -> AsyncIterator[None]:
    async with asyncio.timeout(20):
        yield


@pytest.fixture(params=["our own pool", "aiohttp"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Send everything over one of the two: each test that uses this runs over both."""
    if request.param == "aiohttp":
        monkeypatch.setattr(hector_http.client, "is_plain", lambda *_: False)
    return str(request.param)
