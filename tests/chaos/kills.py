"""kill -9 of the replica that works on everything, at five points, on any database."""

import asyncio
import random
import subprocess

import pytest
from chaos.clients import WAITS, Client
from chaos.conftest import LEASE_S
from chaos.faulty import AFTER, BEFORE
from chaos.replicas import Replica
from chaos.scene import Scene, asking, first, seeded
from chaos.story import stories_of
from chaos.world import ASKED, CALLED, EFFECTED, IN_DOUBT, STREAMING, Gate

RUNS = 24
LEAST = 20
"""How many runs a kill must hit."""
OTHERS = 4
"""Runs at the other replica, whom it is not to bother."""
KINDS = ["plain", "look", "charge", "mail", "post", "launch", "both", "chain"]
WITH_TOOLS = [kind for kind in KINDS if kind != "plain"]
FULL_S, DEAD_S = 8.0, 8.0
ATTEMPTS = 3
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
            async with asyncio.timeout(60 + 4 * LEASE_S), scene.told():
                await scene.replicas.start()
                await kill(scene, point, chance)
                await scene.check()


async def kill(scene: Scene, point: str, chance: random.Random) -> None:
    """Have a replica die at a point, with all that it works on, and wait until all of that is answered.

    Where the machine is so busy that a lease ends by itself before, it is tried anew.
    """
    for _ in range(ATTEMPTS):
        if await killed(scene, point, chance):
            return
        await scene.check()
    raise AssertionError(f"no replica kept its lease of {LEASE_S:g} s, and {LEAST} runs, until it was killed")


async def killed(scene: Scene, point: str, chance: random.Random) -> bool:
    number = chance.randrange(len(scene.replicas.all))
    victim = scene.replicas.all[number]
    kinds = WITH_TOOLS if point == AFTER_DISPATCH else KINDS
    hit = [scene.client(chance.choice(kinds), at=number, says=Truth(scene)) for _ in range(RUNS)]
    others = [scene.client(chance.choice(KINDS), at=number + 1, says=Truth(scene)) for _ in range(OTHERS)]
    watched = hit[:: chance.choice((2, 3))]
    stage = {MID_STREAM: STREAMING, AFTER_DISPATCH: chance.choice((CALLED, EFFECTED))}.get(point, ASKED)
    is_late, words = chance.random() < 0.5, chance.randrange(1, 3)
    gate = scene.world.hold(stage, first(hit), words=words)
    async with asking([*hit, *others]), asyncio.TaskGroup() as group:
        if not await full(gate) or not await owns_them(scene, victim):
            scene.world.let_go(doomed=False)
            return False
        for client in watched:
            await client.acknowledged.wait()
            group.create_task(scene.watcher(client, at=number + 1).watch(client.task))
        if is_late:
            await asyncio.sleep(0.3)  # what was said so far is in the log
        if point in (BEFORE_COMMIT, AFTER_COMMIT):
            await dies_at_a_commit(scene, victim, point, chance)
        else:
            victim.kill()
            scene.world.let_go(doomed=True)
        under_way = [client for client in hit if not client.is_over and client.state != WAITS]
        await victim.start()
    stories = await stories_of(scene.store, [client.task for client in under_way])
    taken = [run for run, story in stories.items() if any(one.HasField("owner_changed") for one in story)]
    return len(taken) >= LEAST


async def full(gate: Gate) -> bool:
    try:
        async with asyncio.timeout(FULL_S):
            await gate.full.wait()
    except TimeoutError:
        return False
    return True


async def owns_them(scene: Scene, replica: Replica) -> bool:
    """Say whether runs are still whose they were when they began."""
    assert replica.process is not None
    [(runs,)] = await scene.store.rows(
        "SELECT COUNT(*) FROM runs JOIN workers ON runs.worker = workers.id "
        f"WHERE finished = FALSE AND pid = {replica.process.pid}"
    )
    return int(runs) >= RUNS


async def dies_at_a_commit(scene: Scene, victim: Replica, point: str, chance: random.Random) -> None:
    quickly_s, scene.world.pause_s = scene.world.pause_s, SLOWLY_S  # none may end before
    victim.arm(BEFORE if point == BEFORE_COMMIT else AFTER, chance.randrange(1, LATEST_COMMIT))
    scene.world.let_go(doomed=False)
    try:
        await victim.gone(DEAD_S)
    except subprocess.TimeoutExpired:  # its runs went elsewhere before
        victim.kill()
    finally:
        scene.world.pause_s = quickly_s


class Truth:
    """A person who looks at the world before saying whether something has happened there."""

    def __init__(self, scene: Scene) -> None:
        self._world = scene.world

    async def __call__(self, client: Client) -> str:
        [tool] = [tool for tool in IN_DOUBT if f"{tool}(" in client.said]
        return "happened" if self._world.happened(tool, client.question) else "again"
