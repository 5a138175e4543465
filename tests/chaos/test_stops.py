"""A replica that stands still past its lease, and wakes up again: it writes nothing more."""

import asyncio
import signal
from pathlib import Path

import pytest
from chaos.conftest import LEASE_S, Stores, databases
from chaos.faulty import ASLEEP
from chaos.kills import RUNS, Truth
from chaos.scene import asking, first, scene_at, seeded
from chaos.story import shown, stories_of
from chaos.world import ASKED, EFFECTED, STREAMING

WRITTEN_S = 0.5
SILENCE_S = 1.0
"""How long clients wait for a replica that says nothing."""


@pytest.mark.parametrize("stage", [ASKED, STREAMING, EFFECTED])
@pytest.mark.parametrize("database", databases("postgresql", "sqlite", "mariadb"))
async def test_an_owner_that_slept_past_its_lease_writes_nothing(
    stores: Stores, folder: Path, database: str, stage: str
) -> None:
    """Ours: a lease that has ended stays so, whatever its worker believes when it wakes up."""
    with seeded(database, stage) as chance, stores(database, folder) as store:
        async with asyncio.timeout(60), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
            kinds = ("charge", "mail", "post", "chain") if stage == EFFECTED else ("plain", "look", "mail")
            sleeper = scene.replicas.all[0]
            clients = [
                scene.client(chance.choice(kinds), says=Truth(scene), silence_s=SILENCE_S)
                for _ in range(RUNS)
            ]
            gate = scene.world.hold(stage, first(clients), words=1)
            async with asking(clients):
                await gate.full.wait()
                for client in clients:
                    await client.acknowledged.wait()
                if database == "sqlite":
                    await asyncio.sleep(WRITTEN_S)  # in the middle of a commit it would hold the file
                sleeper.signal(signal.SIGSTOP)
            before = await stories_of(store, [client.task for client in clients])
            # It gets now what it had waited for, and would write it.
            scene.world.let_go(doomed=False)
            sleeper.signal(signal.SIGCONT)
            another = scene.client("chain")
            another.urls = [sleeper.agent]  # it works again itself
            await another.ask()
            after = await stories_of(store, [client.task for client in clients])
            changed = [run for run in before if len(before[run]) != len(after[run])]
            assert not changed, "\n".join(shown(after[run]) for run in changed)
            await scene.check()


@pytest.mark.parametrize("database", databases("postgresql", "mariadb"))
async def test_an_owner_that_sleeps_in_the_middle_of_a_commit_is_in_nobodys_way(
    stores: Stores, folder: Path, database: str
) -> None:
    """Ours: the database ends a transaction that stands still, and its locks with it."""
    with seeded(database) as chance, stores(database, folder) as store:
        async with asyncio.timeout(60), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
            sleeper = scene.replicas.all[0]
            kinds = ("plain", "look", "charge")
            clients = [
                scene.client(chance.choice(kinds), says=Truth(scene), silence_s=SILENCE_S)
                for _ in range(RUNS)
            ]
            gate = scene.world.hold(ASKED, first(clients))
            async with asking(clients):
                await gate.full.wait()
                sleeper.arm(ASLEEP, 1)
                scene.world.let_go(doomed=False)
            sleeper.signal(signal.SIGCONT)
            another = scene.client("chain")
            another.urls = [sleeper.agent]
            await another.ask()
            await scene.check()
