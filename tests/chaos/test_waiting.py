"""Runs that wait for a person, while every process there is dies and others are started."""

import asyncio
from pathlib import Path

import pytest
from chaos.clients import WAITS
from chaos.conftest import LEASE_S, Stores, databases
from chaos.kills import RUNS, Truth
from chaos.scene import asking, first, scene_at
from chaos.world import CALLED, EFFECTED, PERSON


@pytest.mark.parametrize("database", databases("sqlite", "postgresql", "mariadb"))
async def test_an_answer_is_taken_up_after_every_process_was_restarted(
    stores: Stores, folder: Path, database: str
) -> None:
    """Ours: who waits for a person holds no process and no lease."""
    with stores(database, folder) as store:
        async with asyncio.timeout(60), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
            clients = [scene.client("person", at=number % 2) for number in range(RUNS)]
            async with asking(clients):
                pass
            assert {client.state for client in clients} == {WAITS}
            assert {client.said for client in clients} == {PERSON}
            held = await store.rows("SELECT COUNT(*) FROM runs WHERE finished = FALSE AND worker <> ''")
            assert held == [(0,)], "runs that wait belong to nobody"
            for replica in scene.replicas.all:
                replica.kill()
            await scene.replicas.start()
            async with asyncio.TaskGroup() as group:
                for number, client in enumerate(clients):
                    client.urls = scene.replicas.agents(number // 2 % 2)
                    group.create_task(client.answer("blue"))
            await scene.check()


@pytest.mark.parametrize("stage", [CALLED, EFFECTED])
@pytest.mark.parametrize("database", databases("sqlite", "postgresql", "mariadb"))
async def test_a_doubt_is_settled_after_every_process_was_restarted(
    stores: Stores, folder: Path, database: str, stage: str
) -> None:
    """Ours: nobody knows whether the mail was sent, and so a person says; until then it is not sent again."""
    with stores(database, folder) as store:
        async with asyncio.timeout(60), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
            clients = [scene.client("mail") for _ in range(RUNS)]
            gate = scene.world.hold(stage, first(clients))
            async with asking(clients):
                await gate.full.wait()
                for replica in scene.replicas.all:
                    replica.kill()
                scene.world.let_go(doomed=True)
                await scene.replicas.start()
            assert {client.state for client in clients} == {WAITS}
            for replica in scene.replicas.all:
                replica.kill()
            await scene.replicas.start()
            truth = Truth(scene)
            async with asyncio.TaskGroup() as group:
                for client in clients:
                    group.create_task(client.answer(await truth(client)))
            await scene.check()
