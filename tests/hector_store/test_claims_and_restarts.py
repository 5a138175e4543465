"""A database server that is killed and starts again while runs are claimed: none is lost, none done twice."""

import asyncio
import os
import signal
from collections import Counter

import pytest
from support.databases import SERVERS, server_of_its_own

from hector_mesh import HectorError
from hector_store import NOW, Claim, Database, NewEvent, NewRun, RunChanges, RunLog, Worker, Workers, new_id
from hector_store.url import parse

RUNS = 60
LEASE_S = 3.0


class Replica:
    """Claims runs and ends each of them; joins anew when its lease was over."""

    def __init__(self, url: str) -> None:
        self.database = Database(parse(url))
        self.ended = 0

    async def work(self, ended: asyncio.Event) -> None:
        log, workers, me = RunLog(self.database), Workers(self.database), ""
        while not ended.is_set():
            try:
                if not me or not await workers.renew(me, LEASE_S):
                    me = new_id()
                    await workers.join(Worker(me), LEASE_S)
                for claimed in await workers.claim(me, Claim(limit=3)):
                    row = claimed.row
                    last = [event.kind for event in await log.events("app", row.id)][-1]
                    assert last in ("begin", "step")
                    if last == "begin":
                        await log.append(row.id, row.epoch, [NewEvent("step", me.encode())])
                    done = RunChanges(state="RUN_STATE_COMPLETED")
                    await log.append(row.id, row.epoch, [NewEvent("end", me.encode())], done)
                    self.ended += 1
            except HectorError as error:
                # Away, in doubt, or somebody else's by now: whatever is ours is claimed again.
                if error.reason not in ("RUN_FENCED", "LEASE_OVER", *AWAY):
                    raise
                me = "" if error.reason == "LEASE_OVER" else me
            await asyncio.sleep(0.01)


AWAY = ("STORAGE_UNREACHABLE", "STORAGE_IN_DOUBT", "STORAGE_BUSY", "STORAGE_FAILED")


@pytest.mark.parametrize("kind", SERVERS)
async def test_no_run_is_lost_and_none_is_ended_twice(kind: str) -> None:
    with server_of_its_own(kind) as server:
        server.run("CREATE DATABASE lasting")
        url, ended = server.url("lasting"), asyncio.Event()
        replicas = [Replica(url) for _ in range(3)]
        async with asyncio.timeout(120):
            for replica in replicas:
                await replica.database.open()
            log = RunLog(replicas[0].database)
            for number in range(RUNS):
                new = NewRun(id=f"r{number:03}", app="app", owner="", agent="a", due_us=NOW)
                await log.create(new, [NewEvent("begin")])
            async with asyncio.TaskGroup() as group:
                for replica in replicas:
                    group.create_task(replica.work(ended))
                while sum(replica.ended for replica in replicas) < RUNS // 4:  # noqa: ASYNC110 - they only count
                    await asyncio.sleep(0.01)
                os.kill(server.pid, signal.SIGKILL)
                while await unfinished(log):  # noqa: ASYNC110 - rows tell nobody
                    await asyncio.sleep(0.1)
                ended.set()
            for number in range(RUNS):
                kinds = Counter(event.kind for event in await log.events("app", f"r{number:03}"))
                assert kinds == {"begin": 1, "step": 1, "end": 1}
            for replica in replicas:
                await replica.database.close()


async def unfinished(log: RunLog) -> int:
    try:
        return len(await log.unfinished())
    except HectorError as error:
        if error.reason not in AWAY:
            raise
        return 1
