"""Ours: what is asked of a run at work is done once, by whoever has it then."""

import asyncio
from types import SimpleNamespace

import pytest
from support.scripted_agent import until

from hector.agent.v1 import PauseRun, ResumeRun, Signal, SignalReceived
from hector_agent.commands.heeding import Heeding
from hector_agent.commands.wishes import written
from hector_agent.errors import RunLost
from hector_agent.lease import Lease
from hector_store import Hints, SignalRow


class RunAtWork:
    """A run, as far as commands know it; its log takes what is written, unless it fails."""

    def __init__(self) -> None:
        self.place = SimpleNamespace(run="run-1")
        self.parked = self.stopping = False
        self.wakes, self.pausing = [], None
        self.log, self.consumed = [], []
        self.failures = []

    async def commit(self, events, *, also):
        found, _ = events() if callable(events) else (events, False)
        if self.failures:
            raise self.failures.pop()
        self.log += found
        self.consumed += also.consume


class Workers:
    """Tells of signals until they are consumed."""

    def __init__(self, run, *signals: Signal) -> None:
        self.run, self.failures = run, []
        self.rows = [
            SignalRow(number, "run-1", kind, 0, payload)
            for number, (kind, payload) in enumerate((written(one, "olga") for one in signals), 1)
        ]

    async def waiting_signals(self, worker):
        if self.failures:
            raise self.failures.pop()
        return [row for row in self.rows if row.id not in self.run.consumed]


class AtWork:
    """One run."""

    def __init__(self, run) -> None:
        self.find = lambda _: run

    def __len__(self) -> int:
        return 1


def heeding(run: RunAtWork, *signals: Signal) -> Heeding:
    lease = Lease("w1", float("inf"))
    return Heeding(Workers(run, *signals), Hints(), lambda: lease, AtWork(run))


WAKE = Signal(wake_json='{"n": 1}')


async def test_a_command_that_could_not_be_written_is_acted_upon_once():
    run = RunAtWork()
    heeds = heeding(run, WAKE, Signal(pause=PauseRun()))
    run.failures = [RunLost("run-1"), RunLost("run-1")]
    for _ in range(3):
        await heeds.once()
    assert run.wakes == [WAKE.wake_json]
    assert [event.signal_received.signal.WhichOneof("signal") for event in run.log] == ["wake_json", "pause"]
    assert run.consumed == [1, 2]


async def test_a_run_that_is_parked_in_that_moment_leaves_commands_to_who_claims_it():
    run = RunAtWork()
    run.parked, run.pausing = True, SignalReceived(signal=Signal(pause=PauseRun()))
    heeds = heeding(run, Signal(resume=ResumeRun()))
    await heeds.once()
    assert (run.log, run.consumed) == ([], [])


async def test_commands_are_heeded_after_a_bug(monkeypatch, caplog):
    monkeypatch.setattr("hector_agent.commands.heeding.POLL_S", 0.01)
    run = RunAtWork()
    heeds = heeding(run, WAKE)
    heeds._workers.failures = [ZeroDivisionError("a bug")]
    task = asyncio.create_task(heeds.work())

    async def is_heeded() -> bool:
        return bool(run.consumed)

    await until(is_heeded)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [record.msg for record in caplog.records if record.exc_info] == ["heeding commands met a bug"]
