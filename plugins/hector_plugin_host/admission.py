"""Who of a plugin's callers gets which of its processes, and who waits for one.

A process takes so many calls at once. Whoever finds no room waits in one line for all processes, if the line
is not too long already and moves fast enough for the caller's deadline.
"""

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Generic, Protocol, TypeVar

from hector_mesh import HectorError

from .call_errors import PluginBusy, PluginNotReady, PluginStopping
from .clock import Clock

MOST_WAITING = 1024
"""Calls that may wait for a plugin that sets no limit, while it starts."""
_SMOOTHING = 0.1


class Worker(Protocol):
    """A process that takes calls."""

    limit: int
    """Calls at once; 0: any number."""
    in_flight: int


W = TypeVar("W", bound=Worker)


class _Waiter(Generic[W]):
    __slots__ = ("begun", "deadline", "future")

    def __init__(self, begun: float, deadline: float) -> None:
        self.begun, self.deadline = begun, deadline
        self.future: Future[W] = get_running_loop().create_future()


class Admission(Generic[W]):
    """The line in front of a plugin's processes. Times are those of its clock."""

    def __init__(self, plugin: str, clock: Clock, *, queue: int = 0) -> None:
        """Begin without a process.

        Args:
            plugin: Its name, for errors.
            clock: Tells the time.
            queue: Calls that may wait; 0: four times as many as may be made.
        """
        self._plugin, self._clock, self.queue = plugin, clock, queue
        self.workers: list[W] = []
        self._line: deque[_Waiter[W]] = deque()
        self._refusal: Callable[[], HectorError] | None = None
        self.away: Callable[[float], HectorError | None] = lambda deadline: None
        """Asked while there is no process: why a caller with this deadline need not wait; None: wait."""
        self.mean_s = 0.0
        """How long calls take, lately."""
        self.on_waited: Callable[[float], None] = lambda waited_s: None

    @property
    def waiting(self) -> int:
        """How many wait in the line."""
        return len(self._line)

    @property
    def in_flight(self) -> int:
        """How many calls are under way, those of processes that are being replaced not included."""
        return sum(worker.in_flight for worker in self.workers)

    def take(self) -> W | None:
        """Return a process with room for a call, which now has it; None: one has to wait.

        `release` has to follow.
        """
        workers = self.workers
        if self._line or self._refusal is not None:
            return None
        if len(workers) == 1:
            (worker,) = workers
            if worker.limit and worker.in_flight >= worker.limit:
                return None
            worker.in_flight += 1
            return worker
        return self._least()

    async def wait(self, deadline: float) -> W:
        """Wait for a process with room for a call, which then has it.

        Raises:
            HectorError: There is none, will be none in time, or too many wait already.
        """
        if self._refusal is not None:
            raise self._refusal()
        now = self._clock.now()
        worker = self.take()
        if worker is not None:
            return worker
        if self.workers:
            self._check_line(now, deadline)
        else:
            self._check_away(deadline)
        waiter = _Waiter[W](now, deadline)
        self._line.append(waiter)
        timer = None
        if deadline < inf:
            timer = self._clock.call_later(deadline - now, lambda: self._expire(waiter))
        try:
            return await waiter.future
        except BaseException:
            self._withdraw(waiter)
            raise
        finally:
            if timer is not None:
                timer.cancel()
            self.on_waited(self._clock.now() - now)

    def release(self, worker: W, took_s: float | None = None) -> None:
        """Give a call's room back.

        Args:
            worker: The process that had it.
            took_s: How long the call took; None: it says nothing about others, as when it was cancelled.
        """
        worker.in_flight -= 1
        if took_s is not None:
            self.mean_s += (took_s - self.mean_s) * (_SMOOTHING if self.mean_s else 1.0)
        if self._line:
            self._serve()

    def join(self, worker: W) -> None:
        """Let a process take calls from now on."""
        self.workers = [*(one for one in self.workers if one is not worker), worker]
        self._serve()

    def leave(self, worker: W) -> None:
        """Give a process no more calls; those that it has go on."""
        if not any(one is worker for one in self.workers):
            return
        self.workers = [one for one in self.workers if one is not worker]
        if not self.workers:
            self.reconsider()

    def replace(self, old: W, new: W) -> None:
        """Give the calls of one process to another from now on."""
        self.workers = [*(one for one in self.workers if one is not old), new]
        self._serve()

    def close(self) -> None:
        """Take no more calls, not even from those who wait."""
        self.refuse(lambda: PluginStopping(self._plugin))

    def refuse(self, refusal: Callable[[], HectorError]) -> None:
        """Refuse all calls, and those who wait, until `accept`."""
        self._refusal = refusal
        while self._line:
            waiter = self._line.popleft()
            if not waiter.future.done():
                waiter.future.set_exception(refusal())

    def accept(self) -> None:
        """Refuse calls no longer."""
        self._refusal = None

    def reconsider(self) -> None:
        """Send away those who wait in vain, since it is known now when there will be a process again."""
        if self.workers:
            return
        for waiter in tuple(self._line):
            error = self.away(waiter.deadline)
            if error is not None:
                self._line.remove(waiter)
                if not waiter.future.done():
                    waiter.future.set_exception(error)

    def _least(self) -> W | None:
        found: W | None = None
        for worker in self.workers:
            has_room = not worker.limit or worker.in_flight < worker.limit
            if has_room and (found is None or worker.in_flight < found.in_flight):
                found = worker
        if found is not None:
            found.in_flight += 1
        return found

    def _serve(self) -> None:
        while self._line:
            if self._line[0].future.done():
                self._line.popleft()
                continue
            worker = self._least()
            if worker is None:
                return
            self._line.popleft().future.set_result(worker)

    def _withdraw(self, waiter: _Waiter[W]) -> None:
        """Leave the line, or give back what was handed over at the moment of leaving."""
        future = waiter.future
        if future.done() and not future.cancelled() and future.exception() is None:
            self.release(future.result())
        elif waiter in self._line:
            self._line.remove(waiter)

    def _expire(self, waiter: _Waiter[W]) -> None:
        if waiter.future.done():
            return
        if self.workers:
            error: HectorError = PluginBusy(self._plugin, self.in_flight, self.waiting, self.mean_s)
        else:
            why = "it was still being started when the caller's deadline came"
            error = self.away(self._clock.now()) or PluginNotReady(self._plugin, why, 1.0)
        waiter.future.set_exception(error)

    def _check_line(self, now: float, deadline: float) -> None:
        if not all(worker.limit for worker in self.workers):
            return  # there is room, and who stands in the line has left it
        places = sum(worker.limit for worker in self.workers)
        waiting = len(self._line)
        turn_s = (waiting + 1) * self.mean_s / places
        if waiting >= (self.queue or 4 * places) or now + turn_s > deadline:
            raise PluginBusy(self._plugin, self.in_flight, waiting, turn_s)

    def _check_away(self, deadline: float) -> None:
        error = self.away(deadline)
        if error is not None:
            raise error
        if len(self._line) >= (self.queue or MOST_WAITING):
            raise PluginNotReady(self._plugin, f"{len(self._line)} calls wait for it already", 1.0)
