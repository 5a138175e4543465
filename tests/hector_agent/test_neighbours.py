"""Ours: who can see that a process is dead does not wait for the end of its lease."""

import os
import subprocess
import sys

import pytest
from support.owned_world import world
from support.run_owners import settled

from hector_agent import neighbours
from hector_agent.neighbours import is_dead, kernel
from hector_store import Worker, Workers, opened

pytestmark = pytest.mark.skipif(not kernel(), reason="this kernel does not say which it is")


def ended() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_a_process_of_this_kernel_that_is_no_more_is_dead():
    dead = ended()
    assert is_dead(f"worker-1-{kernel()}", dead)
    assert not is_dead(f"worker-1-{kernel()}", os.getpid())
    assert not is_dead(f"worker-1-{kernel()}", os.getppid())
    assert not is_dead(f"worker-1-{kernel()}", 0)
    assert not is_dead("worker-1-01234567", dead), "another machine's numbers say nothing"
    assert not is_dead("worker-1", dead)


def test_without_a_word_of_the_kernel_nobody_is(monkeypatch):
    monkeypatch.setattr(neighbours, "kernel", str)
    assert not is_dead("worker-1-", ended())


@pytest.mark.usefixtures("short_stops")
async def test_the_next_start_goes_on_at_once_with_runs_of_a_process_that_was_killed(database_url):
    async with world(database_url) as of:
        async with of.replica() as one:
            died = one.die_at(2, written=True)
            run = (await one.ask("go")).place.run
            await died.wait()
            row = await of.log.get("default", "ada", run)
        async with opened(database_url) as database:
            workers, dead = Workers(database), f"worker-dead-{kernel()}"
            await workers.release(row.worker)
            await workers.join(Worker(dead, pid=ended()), 60)
            [claimed] = [await workers.take(dead, run)]
            assert claimed is not None
        async with of.replica():
            assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"
