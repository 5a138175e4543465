"""A server that is attacked, and looked after when the attack is over."""

from collections.abc import AsyncIterator, Iterator

import pytest
from support.victim import Victim, standing


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with standing(tmp_path_factory.mktemp("victim")) as found:
        yield found


@pytest.fixture
async def victim(server: Victim) -> AsyncIterator[Victim]:
    """The server, which afterwards is well, holds what it held, and has nothing bad in its log."""
    await server.is_well()
    before, tasks = server.held(), await server.count()
    yield server
    await server.is_well()
    await server.lets_go(before, tasks)
    server.check_log()
