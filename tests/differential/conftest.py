"""Both servers, once for all tests."""

from collections.abc import AsyncIterator

import pytest_asyncio
from differential.twins import Twins, side_by_side


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def twins() -> AsyncIterator[Twins]:
    async with side_by_side() as found:
        yield found
