"""kill -9 of the replica that works on everything, at five points, on any database."""

import asyncio
import random

import pytest
from chaos.clients import WAITS, Client
from chaos.conftest import LEASE_S
from chaos.faulty import AFTER, BEFORE
from chaos.replicas import Replica
from chaos.scene import Scene, asking, first, seeded
from chaos.story import stories_of
from chaos.world import ASKED, CALLED, EFFECTED, IN_DOUBT, STREAMING

RUNS = 24
LEAST = 20
"""How many runs a kill must hit."""
OTHERS = 4
"""Runs at the other replica, whom it is not to bother."""
KINDS = ["plain", "look", "charge", "mail", "post", "launch", "both", "chain"]
WITH_TOOLS = [kind for kind in KINDS if kind != "plain"]
FULL_S, DEAD_S = 20.0, 20.0
LATEST_COMMIT = 9
SLOWLY_S = 0.03

BEFORE_MODEL, MID_STREAM, AFTER_DISPATCH = "before the model answers", "mid-stream", "after tool dispatch"
BEFORE_COMMIT, AFTER_COMMIT = "before a commit", "after a commit"
POINTS = (BEFORE_MODEL, MID_STREAM, AFTER_DISPATCH, BEFORE_COMMIT, AFTER_COMMIT)


class Kills:
    """What must be true on each database; the module of a subclass names it in DATABASE."""

    @pytest.mark.parametrize("point", POINTS)
    @pytest.mark.asyncio(loop_scope="module")
    async def test_what_was_acknowledged_is_answered_once(self, scene: Scene, point: str, seed: str) -> None:
        """Ours: clients see every event once, effects are there once or in doubt, and nothing is left."""
        with seeded(scene.store.url.partition(":")[0], point, seed) as chance:
            async with asyncio.timeout(30 + 4 * LEASE_S), scene.told():
                await scene.replicas.start()
                await kill(scene, point, chance)
                await scene.check()


async def kill(scene: Scene, point: str, chance: random.Random) -> None:
    """Have a replica die at a point, with all that it works on, and wait until all of that is answered."""
    number = chance.randrange(len(scene.replicas.all))
    victim = scene.replicas.all[number]
    kinds = WITH_TOOLS if point == AFTER_DISPATCH else KINDS
    hit = [scene.client(chance.choice(kinds), at=number, says=truth(scene)) for _ in range(RUNS)]
    others = [scene.client(chance.choice(KINDS), at=number + 1, says=truth(scene)) for _ in range(OTHERS)]
    watched = hit[:: chance.choice((2, 3))]
    stage = {MID_STREAM: STREAMING, AFTER_DISPATCH: chance.choice((CALLED, EFFECTED))}.get(point, ASKED)
    gate = scene.world.hold(stage, first(hit), words=chance.randrange(1, 3))
    async with asking([*hit, *others]), asyncio.TaskGroup() as group:
        async with asyncio.timeout(FULL_S):
            await gate.full.wait()
            for client in watched:
                await client.acknowledged.wait()
                group.create_task(scene.watcher(client, at=number + 1).watch(client.task))
        if chance.random() < 0.5:
            await asyncio.sleep(0.3)  # in half of them what was said so far is in the log
        if point in (BEFORE_COMMIT, AFTER_COMMIT):
            await dies_at_a_commit(scene, victim, point, chance)
        else:
            victim.kill()
            scene.world.let_go(doomed=True)
        under_way = [client for client in hit if not client.is_over and client.state != WAITS]
        assert len(under_way) >= LEAST, f"only {len(under_way)} runs were hit"
        await victim.start()
    stories = await stories_of(scene.store, [client.task for client in under_way])
    taken = [run for run, story in stories.items() if any(one.HasField("owner_changed") for one in story)]
    assert len(taken) >= LEAST, f"only {len(taken)} of {len(under_way)} runs were taken over"


async def dies_at_a_commit(scene: Scene, victim: Replica, point: str, chance: random.Random) -> None:
    quickly_s, scene.world.pause_s = scene.world.pause_s, SLOWLY_S  # none may end before
    victim.arm(BEFORE if point == BEFORE_COMMIT else AFTER, chance.randrange(1, LATEST_COMMIT))
    scene.world.let_go(doomed=False)
    try:
        await victim.gone(DEAD_S)
    finally:
        scene.world.pause_s = quickly_s


def truth(scene: Scene) -> "Truth":
    return Truth(scene)


class Truth:
    """A person who looks at the world before saying whether something has happened there."""

    def __init__(self, scene: Scene) -> None:
        self._world = scene.world

    async def __call__(self, client: Client) -> str:
        [tool] = [tool for tool in IN_DOUBT if f"{tool}(" in client.said]
        return "happened" if self._world.happened(tool, client.question) else "again"
