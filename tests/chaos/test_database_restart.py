"""The database dies together with a replica, and comes back: runs are taken over all the same."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from chaos.conftest import LEASE_S, databases
from chaos.kills import KINDS, RUNS, Truth
from chaos.replicas import Store
from chaos.scene import asking, first, scene_at, seeded
from chaos.world import ASKED
from support.databases import server_of_its_own


@pytest.mark.parametrize("database", databases("postgresql", "mariadb"))
async def test_a_database_that_restarts_during_a_takeover_loses_nothing(folder: Path, database: str) -> None:
    """Ours: workers find it again, and go on; clients need nothing but their place."""
    with seeded(database) as chance, server_of_its_own(database) as server, server.new_database() as name:
        store = Store(server.url(name), server=server, name=name)
        async with asyncio.timeout(100), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
            hit = [scene.client(chance.choice(KINDS), says=Truth(scene)) for _ in range(RUNS)]
            others = [scene.client(chance.choice(KINDS), at=1, says=Truth(scene)) for _ in range(8)]
            gate = scene.world.hold(ASKED, first([*hit, *others]))
            async with asking([*hit, *others]):
                await gate.full.wait()
                scene.replicas.all[0].kill()
                os.kill(server.pid, signal.SIGKILL)
                scene.world.let_go(doomed=False)
                await scene.replicas.start()
            await scene.check()
