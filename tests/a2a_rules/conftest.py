"""The house that all rules are tried in, opened once for each of the mesh's transports."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from a2a_rules.house import House, opened
from support.doors import Door


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=["local", "unix"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with opened(request.param) as house:
        yield house


@pytest.fixture
def door(house: House, request: pytest.FixtureRequest) -> Door:
    """One door to the agent that acts, for the caller ada."""
    return house.door(request.param)
