"""One server of three processes behind one port, of which one dies: the others take its runs at once."""

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from chaos.conftest import Stores, databases
from chaos.kills import KINDS, Truth
from chaos.scene import asking, first, scene_at, seeded
from chaos.world import ASKED

WORKERS, RUNS, LEAST = 3, 75, 15
LONG_LEASE_S = 60.0
"""Nobody may wait for a lease to end here."""
SLOWEST_S = 10.0
"""A second is what `make bench` holds it to, where nothing else runs."""
OWNERS = "SELECT pid FROM workers JOIN runs ON runs.worker = workers.id WHERE finished = FALSE"
TAKEN = "SELECT MAX(time) FROM run_events WHERE kind = 'owner_changed'"


@pytest.mark.parametrize("database", databases("sqlite", "postgresql", "mariadb"))
async def test_the_runs_of_a_worker_that_died_go_on_at_once(
    stores: Stores, folder: Path, database: str
) -> None:
    """Ours: a parent that sees its child die releases the child's lease, and does not wait for its end."""
    more = ("--workers", str(WORKERS))
    with seeded(database) as chance, stores(database, folder) as store:
        async with (
            asyncio.timeout(60),
            scene_at(folder, store, lease_s=LONG_LEASE_S, count=1, more=more) as scene,
            scene.told(),
        ):
            server = scene.replicas.all[0]
            await asyncio.to_thread(server.wait_until_told, f"{WORKERS} workers")
            assert len(server.children()) == WORKERS
            clients = [scene.client(chance.choice(KINDS), says=Truth(scene)) for _ in range(RUNS)]
            gate = scene.world.hold(ASKED, first(clients))
            async with asking(clients):
                await gate.full.wait()
                owners = Counter(pid for (pid,) in await store.rows(OWNERS))
                [(victim, runs)] = owners.most_common(1)
                assert victim in server.children()
                assert runs >= LEAST, f"the port shares badly: {owners}"
                died = time.time()
                os.kill(victim, signal.SIGKILL)
                scene.world.let_go(doomed=False)
            [(taken_us,)] = await store.rows(TAKEN)
            assert taken_us / 1e6 - died <= SLOWEST_S
            await scene.check()
