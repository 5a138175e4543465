"""Ours: who gets a place, who waits, and who is told at once that waiting is in vain."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.fake_clock import FakeClock, settle

from hector_plugin_host.admission import Admission
from hector_plugin_host.call_errors import PluginBusy, PluginFailed, PluginNotReady, PluginStopping


@dataclass(eq=False)
class Worker:
    limit: int = 0
    in_flight: int = 0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def line(clock: FakeClock) -> Admission[Worker]:
    return Admission("up", clock)


def test_a_call_goes_to_the_process_that_has_the_fewest(line: Admission[Worker]) -> None:
    one, two = Worker(in_flight=3), Worker(in_flight=2)
    line.join(one)
    line.join(two)
    assert [line.take() for _ in range(3)] == [two, one, two]


async def test_who_finds_no_room_waits_for_the_first_that_leaves(line: Admission[Worker]) -> None:
    worker = Worker(limit=1)
    line.join(worker)
    assert line.take() is worker
    first, second = (asyncio.create_task(line.wait(1e9)) for _ in range(2))
    await settle()
    line.release(worker)
    await settle()
    assert (first.done(), second.done(), worker.in_flight) == (True, False, 1)
    line.release(worker)
    assert await second is worker


async def test_who_comes_later_does_not_overtake_those_who_wait(line: Admission[Worker]) -> None:
    worker = Worker(limit=1)
    line.join(worker)
    line.take()
    waiting = asyncio.create_task(line.wait(1e9))
    await settle()
    line.release(worker)
    assert line.take() is None
    assert await waiting is worker


async def test_a_line_that_is_too_long_for_the_deadline_is_said_so_at_once(
    line: Admission[Worker], clock: FakeClock
) -> None:
    worker = Worker(limit=1)
    line.join(worker)
    line.take()
    line.release(worker, took_s=2.0)
    line.take()
    with pytest.raises(PluginBusy) as refused:
        await line.wait(clock.now() + 1.0)
    assert refused.value.retry_after_s == 2.0


async def test_a_line_is_four_times_as_long_as_there_are_places_and_no_longer(
    line: Admission[Worker], clock: FakeClock
) -> None:
    line.join(worker := Worker(limit=2))
    line.take(), line.take()
    waiting = [asyncio.create_task(line.wait(1e9)) for _ in range(8)]
    await settle()
    with pytest.raises(PluginBusy, match="2 calls at work and 8 waiting"):
        await line.wait(1e9)
    for task in waiting:
        line.release(worker)
        assert await task is worker


async def test_a_deadline_ends_the_wait(line: Admission[Worker], clock: FakeClock) -> None:
    line.join(worker := Worker(limit=1))
    line.take()
    waiting = asyncio.create_task(line.wait(clock.now() + 3))
    await clock.advance(3.1)
    with pytest.raises(PluginBusy):
        await waiting
    assert line.waiting == 0
    line.release(worker)
    assert worker.in_flight == 0


async def test_before_there_is_a_process_calls_wait_for_it(line: Admission[Worker], clock: FakeClock) -> None:
    waiting = [asyncio.create_task(line.wait(clock.now() + 30)) for _ in range(3)]
    await clock.advance(5)
    line.join(worker := Worker())
    assert await asyncio.gather(*waiting) == [worker] * 3


async def test_a_call_that_would_wait_in_vain_is_told_why(line: Admission[Worker], clock: FakeClock) -> None:
    line.away = lambda deadline: PluginFailed("up", "it exited with 3")
    with pytest.raises(PluginFailed, match="it exited with 3"):
        await line.wait(clock.now() + 30)


async def test_those_who_wait_already_are_told_when_it_becomes_known(
    line: Admission[Worker], clock: FakeClock
) -> None:
    soon, later = (asyncio.create_task(line.wait(clock.now() + limit)) for limit in (5, 50))
    await settle()
    back = clock.now() + 10
    line.away = lambda deadline: PluginNotReady("up", "it crashed", 10) if deadline < back else None
    line.reconsider()
    with pytest.raises(PluginNotReady):
        await soon
    assert not later.done()
    line.join(worker := Worker())
    assert await later is worker


async def test_closing_it_sends_everybody_away(line: Admission[Worker], clock: FakeClock) -> None:
    waiting = asyncio.create_task(line.wait(clock.now() + 30))
    await settle()
    line.close()
    with pytest.raises(PluginStopping):
        await waiting
    with pytest.raises(PluginStopping):
        await line.wait(clock.now() + 30)


async def test_who_is_cancelled_with_a_place_in_hand_gives_it_back(line: Admission[Worker]) -> None:
    line.join(worker := Worker(limit=1))
    line.take()
    waiting = asyncio.create_task(line.wait(1e9))
    await settle()
    line.release(worker)  # handed over, and not yet taken notice of
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert worker.in_flight == 0


async def test_a_process_that_is_replaced_keeps_its_calls_and_gets_no_more(line: Admission[Worker]) -> None:
    old, new = Worker(), Worker()
    line.join(old)
    line.take()
    line.replace(old, new)
    assert line.take() is new
    assert (old.in_flight, new.in_flight) == (1, 1)
    line.release(old)
    assert old.in_flight == 0


class Anything(RuleBasedStateMachine):
    """Callers come, leave and run out of time, and processes join and leave, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.line = Admission[Worker]("up", self.clock)
        self.holding: list[Worker] = []
        self.waiting: list[asyncio.Task[Worker]] = []
        self.left: list[Worker] = []
        self.asked: list[asyncio.Task[Worker]] = []

    def do(self, coroutine: object) -> None:
        async def whole() -> None:
            if coroutine is not None:
                await coroutine  # type: ignore[misc]
            await settle()
            self.collect()

        self.runner.run(whole())

    def collect(self) -> None:
        done = [task for task in self.waiting if task.done()]
        self.waiting = [task for task in self.waiting if not task.done()]
        for task in done:
            if not task.cancelled() and task.exception() is None:
                self.holding.append(task.result())

    @rule(limit=st.integers(0, 3))
    def join(self, limit: int) -> None:
        async def work() -> None:
            self.line.join(Worker(limit=limit))

        self.do(work())

    @precondition(lambda self: self.line.workers)
    @rule()
    def leave(self) -> None:
        async def work() -> None:
            worker = self.line.workers[0]
            self.left.append(worker)
            self.line.leave(worker)

        self.do(work())

    @rule(within_s=st.floats(0.1, 20))
    def ask(self, within_s: float) -> None:
        async def work() -> None:
            worker = self.line.take()
            if worker is not None:
                self.holding.append(worker)
            else:
                self.waiting.append(asyncio.create_task(self.line.wait(self.clock.now() + within_s)))

        self.do(work())

    @precondition(lambda self: self.holding)
    @rule(which=st.integers(0, 100), took_s=st.floats(0.01, 3))
    def give_back(self, which: int, took_s: float) -> None:
        async def work() -> None:
            self.line.release(self.holding.pop(which % len(self.holding)), took_s)

        self.do(work())

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 100))
    def go_away(self, which: int) -> None:
        async def work() -> None:
            self.waiting[which % len(self.waiting)].cancel()

        self.do(work())

    @rule(by_s=st.floats(0, 10))
    def wait(self, by_s: float) -> None:
        self.do(self.clock.advance(by_s))

    @invariant()
    def no_process_has_more_than_it_takes(self) -> None:
        for worker in (*self.line.workers, *self.left):
            assert worker.in_flight >= 0
            assert not worker.limit or worker.in_flight <= worker.limit

    @invariant()
    def every_place_that_is_taken_is_somebodys(self) -> None:
        held = sum(worker.in_flight for worker in (*self.line.workers, *self.left))
        assert held == len(self.holding)

    @invariant()
    def nobody_waits_while_there_is_room(self) -> None:
        if self.waiting:
            assert not any(not w.limit or w.in_flight < w.limit for w in self.line.workers)
        assert self.line.waiting == len(self.waiting)

    def teardown(self) -> None:
        async def work() -> None:
            for task in self.waiting:
                task.cancel()

        self.do(work())
        self.runner.close()


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
