"""Many clients at once: in one session, and while replicas are replaced one after another."""

import asyncio
from itertools import islice
from pathlib import Path

import pytest
from chaos.conftest import LEASE_S, Stores, databases
from chaos.kills import KINDS, Truth
from chaos.scene import Scene, asking, scene_at, seeded

TURNS = 64
KILLED_AFTER = 16
ASKING = 12


@pytest.mark.parametrize("database", databases("sqlite", "postgresql", "mariadb"))
async def test_the_turns_of_a_session_follow_each_other_whoever_takes_them(
    stores: Stores, folder: Path, database: str
) -> None:
    """Ours: 64 turns at two replicas, of which one is killed, run one by one, in the order of the log."""
    with stores(database, folder) as store:
        async with asyncio.timeout(90), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
            scene.world.pause_s = 0.001
            clients = [scene.client("plain", at=number % 2, context="session") for number in range(TURNS)]
            async with asking(clients) as tasks:
                for done in islice(asyncio.as_completed(tasks), KILLED_AFTER):
                    await done
                scene.replicas.all[0].kill()
                await scene.replicas.start()
            assert scene.world.most_at_once == 1
            rows = await store.rows("SELECT id, context_position FROM runs ORDER BY context_position")
            by_task = {client.task: client.question for client in clients}
            assert [position for _, position in rows] == list(range(rows[0][1], rows[0][1] + TURNS))
            assert [by_task[run] for run, _ in rows] == scene.world.order
            await scene.check()


@pytest.mark.parametrize("database", databases("sqlite", "postgresql", "mariadb"))
async def test_replacing_replicas_one_by_one_under_load_costs_nobody_anything(
    stores: Stores, folder: Path, database: str
) -> None:
    """Ours: a replica that is told to stop hands over what it cannot end, and leaves with 0."""
    with seeded(database) as chance, stores(database, folder) as store:
        async with asyncio.timeout(100), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
            is_over = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for number in range(ASKING):
                    kinds = [chance.choice(KINDS) for _ in range(1000)]
                    group.create_task(ask_on(scene, number, kinds, is_over))
                for replica in scene.replicas.all:
                    assert await replica.stop() == 0, replica.output()
                    await replica.start()
                is_over.set()
            assert len(scene.clients) >= 2 * ASKING
            takeovers = sum(client.kind == "launch" and not client.text for client in scene.clients)
            assert takeovers == 0, "who is told to stop leaves nothing in doubt"
            await scene.check()


async def ask_on(scene: Scene, number: int, kinds: list[str], is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        await scene.client(kinds.pop(), at=number % len(scene.replicas.all), says=Truth(scene)).ask()
