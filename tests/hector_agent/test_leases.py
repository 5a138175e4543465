"""Ours: a lease that is renewed late, or lost, costs those who ask some time, and nothing else."""

import asyncio
import time

import pytest
from support.owned_world import kinds, world
from support.run_owners import lease_ends, settled
from support.scripted_agent import ADA, until

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_COMPLETED, RUN_STATE_WORKING, RunEvent, StatusChanged
from hector_agent.beside import NOTHING
from hector_agent.lease import Lease, Ownership
from hector_agent.moment import Also
from hector_agent.opening import unwritten
from hector_mesh import Call, HectorError, Whereabouts
from hector_store import Claimed
from hector_store.errors import StorageFull

pytestmark = pytest.mark.usefixtures("short_stops")


class Slow:
    """Workers of a database that lets nobody join until it may."""

    def __init__(self, workers) -> None:
        self._workers, self.is_asked, self.may_join = workers, asyncio.Event(), asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._workers, name)

    async def join(self, *introduced) -> None:
        self.is_asked.set()
        async with asyncio.timeout(20):
            await self.may_join.wait()
        await self._workers.join(*introduced)


async def lose(one) -> Slow:
    """Let a replica lose its lease, and wait for the next one."""
    ownership = one.runs._ownership
    ownership._workers = slow = Slow(ownership._workers)
    ownership._lose(ownership._lease)
    await slow.is_asked.wait()
    return slow


async def test_a_renewal_that_is_late_and_granted_saves_the_runs(database_url):
    async with world(database_url) as of, of.replica() as one:
        of.model.may_answer.clear()
        run = await one.ask("go")
        await until(lambda: _is(of.model.asked == 1))
        run.lease.until = 0.0
        assert one.worker == ""
        writing = asyncio.ensure_future(run.commit([RunEvent()]))
        await one.runs._ownership._renew(run.lease)
        await writing
        assert one.worker == run.lease.worker
        of.model.may_answer.set()
        row = await settled(of.log, run.place.run)
        assert (row.state, row.epoch, row.worker) == ("RUN_STATE_COMPLETED", 1, one.worker)
        assert "owner_changed" not in kinds(await of.events(run.place.run))


async def test_what_is_asked_between_two_leases_waits_for_the_next_one(database_url):
    async with world(database_url, tool="send_or_fail") as of, of.replica() as one:
        slow = await lose(one)
        assert one.worker == ""
        asking = [asyncio.create_task(one.ask("go", **said)) for said in ({}, {"context": "c1"})]
        for _ in range(20):
            await asyncio.sleep(0)
        assert not any(task.done() for task in asking)
        slow.may_join.set()
        for run in await asyncio.gather(*asking):
            row = await settled(of.log, run.place.run)
            assert (row.state, row.epoch, row.worker) == ("RUN_STATE_COMPLETED", 1, one.worker)


async def test_an_answer_to_what_a_run_asks_waits_for_the_next_lease(database_url):
    async with world(database_url, tool="send") as of:
        async with of.replica() as dead:
            died = dead.die_at(1, written=True)
            run = (await dead.ask("go")).place.run
            await died.wait()
            await lease_ends(of.database, (await of.log.get("default", "ada", run)).worker)
        async with of.replica() as one:
            await settled(of.log, run, lambda row: row.state == "RUN_STATE_INPUT_REQUIRED")
            slow = await lose(one)
            answering = asyncio.create_task(one.answer(run, "run it again"))
            for _ in range(20):
                await asyncio.sleep(0)
            slow.may_join.set()
            await answering
            assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"


async def test_a_lease_is_not_waited_for_longer_than_the_caller_does(database_url):
    async with world(database_url) as of, of.replica() as one:
        slow = await lose(one)
        message = a2a.Message(message_id="m", role=a2a.ROLE_USER)
        call = Call(principal=ADA, deadline=time.monotonic() + 0.1)
        with pytest.raises(HectorError) as refused:
            await one.runs.start(of.agents["assistant"], message, call)
        assert refused.value.reason == "NO_LEASE"
        slow.may_join.set()
        await one.runs._ownership.held()


async def test_who_waited_for_a_lease_in_vain_hears_what_is_the_matter():
    class Full:
        async def join(self, *_) -> None:
            raise StorageFull("hector.db")

    ownership = Ownership(Full(), Whereabouts(), lease_s=15)
    keeping = asyncio.create_task(ownership.keep())
    await asyncio.sleep(0)
    with pytest.raises(StorageFull):
        await ownership.held(0.01)
    keeping.cancel()
    await asyncio.wait({keeping})


async def test_a_run_that_was_claimed_under_a_lost_lease_is_nobodys_fault(database_url):
    async with world(database_url) as of, of.replica() as one:
        run = await one.ask("go")
        row = await settled(of.log, run.place.run)
        taking_over, lost = one.runs._claiming._taking_over, Lease("gone", 0.0)
        lost.lose()
        taking_over.begin(Claimed(row, "due", ""), lost)
        await one.runs._at_work.emptied(5)
        assert not taking_over.shunned


async def test_the_first_commit_of_a_run_has_all_that_goes_with_its_step(database_url, monkeypatch):
    """What the strategy remembers is what a takeover goes on from."""
    async with world(database_url) as of, of.replica() as one:
        message = a2a.Message(message_id="m", role=a2a.ROLE_USER)
        lease, agent = one.runs._ownership.lease, of.agents["assistant"]
        run = unwritten(of.log, lease, agent, message, Call(principal=ADA), NOTHING)
        append = of.log.append

        async def full(*_, **__):
            raise StorageFull("hector.db")

        monkeypatch.setattr(of.log, "append", full)
        working = RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))
        step = "react", 2, b"what it remembers"
        with pytest.raises(StorageFull):
            await run.commit([working], strategy=step, also=Also(consume=(1,)))
        row = await of.log.get("default", "ada", run.place.run)
        assert (row.strategy_name, row.strategy_version, row.strategy_state) == step
        monkeypatch.setattr(of.log, "append", append)
        done = RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))
        await run.commit([done])
        assert [event.seq for event in await of.events(run.place.run)] == [1, 2, 3, done.seq]
        run.close()


async def test_renewals_wait_for_nothing_else():
    """Looking for dead workers, say: a database that answers slowly is when leases are lost."""

    class Busy:
        renewals, often = 0, asyncio.Event()

        async def join(self, *_) -> None: ...

        async def renew(self, *_) -> bool:
            self.renewals += 1
            if self.renewals == 5:
                self.often.set()
            await asyncio.sleep(0.01)
            return True

        async def release(self, *_) -> int:
            return 0

        async def alive(self) -> None:
            await asyncio.Event().wait()

    busy = Busy()
    ownership = Ownership(busy, Whereabouts(), lease_s=0.3)
    async with asyncio.timeout(20):
        await ownership.join()
        keeping = asyncio.create_task(ownership.keep())
        await busy.often.wait()
    keeping.cancel()
    await asyncio.wait({keeping})
    await ownership.leave()


async def _is(fact: bool) -> bool:
    return fact
