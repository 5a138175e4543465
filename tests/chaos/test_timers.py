"""A thousand timers and two replicas, of which one dies in the middle of them: each fires once."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

import pytest
from chaos.clients import HEADERS, PAUSE_S
from chaos.conftest import LEASE_S, Stores, databases
from chaos.replicas import Replica
from chaos.scene import Scene, scene_at

TIMERS = 1000
SLEEP_S = 4.0
AT_ONCE = 50
HANDLER = f"""
from pathlib import Path

FIRED = Path(__file__).with_name("fired")

async def nap(turn):
    await turn.sleep({SLEEP_S})
    await turn.once("fire", fire, turn.text)
    yield "awake"

async def fire(number):
    with FIRED.open("a") as file:
        file.write(number + "\\n")
"""
AGENTS = '  napper: {type: custom, handler: "napping:nap"}'
LONG_LEASE_S = 15.0
OVER_S = 60.0


@pytest.mark.parametrize("dies", [False, True], ids=["nobody dies", "one dies"])
@pytest.mark.parametrize("database", databases("sqlite", "postgresql", "mariadb"))
async def test_a_thousand_timers_fire_a_thousand_times(
    stores: Stores, folder: Path, database: str, dies: bool
) -> None:
    """Ours: a timer is a row that is due; whoever claims it fires it, and nobody else does."""
    (folder / "napping.py").write_text(HANDLER, encoding="utf-8")
    with stores(database, folder) as store:
        lease_s = 3 * LEASE_S if dies else LONG_LEASE_S
        async with asyncio.timeout(100), scene_at(folder, store, lease_s=lease_s, agents=AGENTS) as scene:
            at_once = asyncio.Semaphore(AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for number in range(TIMERS):
                    replica = scene.replicas.all[number % 2]
                    group.create_task(begin(scene, replica, f"timer-{number}", at_once))
            if dies:
                await asyncio.to_thread(wait_until_fired, folder, TIMERS // 4)
                scene.replicas.all[0].kill()
            in_doubt = await until_over(scene)
            fired = Counter((folder / "fired").read_text(encoding="utf-8").split())
            assert set(fired.values()) == {1}
            assert len(fired) + in_doubt >= TIMERS
            assert dies or len(fired) == TIMERS
            assert scene.replicas.bad_lines() == []


async def begin(scene: Scene, replica: Replica, text: str, at_once: asyncio.Semaphore) -> None:
    message = {"messageId": text, "role": "ROLE_USER", "parts": [{"text": text}]}
    body = json.dumps({"message": message, "configuration": {"returnImmediately": True}})
    url = f"{replica.url}/agents/napper/message:send"
    async with at_once:
        while True:
            async with scene.session.post(url, data=body, headers=HEADERS | {"Idempotency-Key": text}) as got:
                if got.status == 200:
                    return
                assert got.status in (429, 503), await got.text()
                await asyncio.sleep(PAUSE_S)


def wait_until_fired(folder: Path, timers: int) -> None:
    file, gives_up = folder / "fired", time.monotonic() + OVER_S
    while not file.exists() or file.read_text(encoding="utf-8").count("\n") < timers:
        assert time.monotonic() < gives_up
        time.sleep(0.02)


async def until_over(scene: Scene) -> int:
    """Wait until no run is at work or will be; return how many wait for a person to settle a doubt."""
    asked = "SELECT state, COUNT(*) FROM runs WHERE finished = FALSE GROUP BY state"
    async with asyncio.timeout(OVER_S):
        while found := dict(await scene.store.rows(asked)):
            if found.keys() == {"RUN_STATE_INPUT_REQUIRED"}:
                return int(found["RUN_STATE_INPUT_REQUIRED"])
            await asyncio.sleep(0.2)
    return 0
