"""Holds a plugin to its limits where the kernel does not: looks at what all its processes use, and acts.

Memory: over the limit, all of them are ended. CPU: the processes may run on no more processors than the limit
has cores, rounded up, and what they use above it is given back by stopping them for a while.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from hector_plugin_host.plan import MEBIBYTE

from .asking import Asking
from .census import Census, proportional_bytes, resident_bytes, stat_of
from .cgroup import Group

LOOK_S = 0.25
THROTTLED_LOOK_S = 0.05
_BURST_S = 0.5
"""How long a plugin that rested may use all of its processors before it is held to its share."""
_THREADS_PER_PROCESS, _SPARE_THREADS = 64, 1024
"""Above these, threads are taken for an attack on the whole machine's supply of them."""
_EVERY = 20
"""Looks between two that search for processes of which nobody told us."""

Limit = Literal["memory", "cpu", "processes"]


@dataclass(frozen=True, slots=True)
class LimitHit:
    """A plugin has reached a limit."""

    limit: Limit
    found: float
    """Bytes, cores or processes."""
    allowed: float
    fatal: bool
    """Whether its processes were ended for it."""

    @property
    def reason(self) -> str:
        """What to say why it ended."""
        return f"{self.limit}_limit"

    def __str__(self) -> str:
        if self.limit == "memory":
            found, allowed = (f"{size / MEBIBYTE:.0f} MiB" for size in (self.found, self.allowed))
            words = f"{found} of memory are in use, security.max_memory is {allowed}"
        elif self.limit == "cpu":
            words = f"{self.found:.2f} cores are wanted, security.max_cpu is {self.allowed:g}"
        else:
            words = f"{self.found:.0f} processes or threads, security.max_processes is {self.allowed:g}"
        return f"{words}; all of its processes were ended" if self.fatal else words


@dataclass(frozen=True, slots=True)
class Limits:
    """What to hold a plugin to; 0: nothing."""

    memory_bytes: int = 0
    cores: float = 0
    processes: int = 0

    @property
    def none(self) -> bool:
        """Whether there is nothing to look after."""
        return not (self.memory_bytes or self.cores or self.processes)


class Watchdog:
    """Looks after one plugin."""

    def __init__(
        self, census: Census, limits: Limits, asking: Asking | None = None, group: Group | None = None
    ) -> None:
        """Begin.

        Args:
            census: The plugin's processes.
            limits: What the kernel does not hold it to by itself.
            asking: Who knows of new processes, if somebody does.
            group: What the kernel holds it to memory and CPU with, if it does.
        """
        self._census, self._limits, self._asking, self._group = census, limits, asking, group
        self._looks = 0
        self._used_s = 0.0
        self._credit_s = _BURST_S * limits.cores
        self._stopped = False
        self._told_of_cpu = False

    async def watch(self) -> AsyncIterator[LimitHit]:
        """Yield limits that are hit, until the plugin is gone; the last one may have ended it."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        try:
            while True:
                await asyncio.sleep(THROTTLED_LOOK_S if self._stopped or self._credit_s <= 0 else LOOK_S)
                now = loop.time()
                members = self._census.members(thoroughly=self._is_thorough())
                if not members:
                    if self._group is not None and self._group.ran_out_of_memory():
                        most = self._limits.memory_bytes
                        yield LimitHit("memory", most, most, fatal=True)
                    return
                hit = await self._memory(members) or self._processes(members)
                if hit is not None:
                    self.end_all()
                    yield hit
                    return
                if (
                    self._limits.cores
                    and self._group is None
                    and (throttled := self._cpu(members, now - before)) is not None
                ):
                    yield throttled
                before = now
        finally:
            if self._stopped:
                self._signal(self._census.members(), signal.SIGCONT)

    def end_all(self) -> None:
        """End all processes of the plugin: stopped first, so that none can make others meanwhile."""
        for _ in range(64):
            members = self._census.members()
            self._signal(members, signal.SIGSTOP)
            again = self._census.members()
            if set(again) <= set(members):
                break
        self._signal(self._census.members(), signal.SIGKILL)

    def _is_thorough(self) -> bool:
        self._looks += 1
        if self._asking is None:
            return self._looks % _EVERY == 0
        made, self._asking.made_some = self._asking.made_some, False
        return made

    async def _memory(self, members: Iterable[int]) -> LimitHit | None:
        most = self._limits.memory_bytes
        if self._group is not None and self._group.ran_out_of_memory():
            return LimitHit("memory", most, most, fatal=True)
        # What is shared counts more than once here, and costs next to nothing to read.
        if not most or self._group is not None or sum(map(resident_bytes, members)) <= most:
            return None
        found = await asyncio.to_thread(lambda: sum(map(proportional_bytes, members)))
        return LimitHit("memory", found, most, fatal=True) if found > most else None

    def _processes(self, members: list[int]) -> LimitHit | None:
        most = self._limits.processes
        if not most:
            return None
        threads = sum(stat.threads for pid in members if (stat := stat_of(pid)) is not None)
        if threads > most * _THREADS_PER_PROCESS + _SPARE_THREADS:
            return LimitHit("processes", threads, most, fatal=True)
        if len(members) > most and self._asking is None:
            return LimitHit("processes", len(members), most, fatal=True)
        return None

    def _cpu(self, members: Iterable[int], passed_s: float) -> LimitHit | None:
        # The sum of all: when one ends, its parent's number grows by what was its own.
        used_s = sum(stat.cpu_s for pid in members if (stat := stat_of(pid)) is not None)
        spent_s, first = max(0.0, used_s - self._used_s), not self._used_s
        self._used_s = used_s
        if first:
            return None  # what it used to start is forgiven
        cores = self._limits.cores
        self._credit_s = min(_BURST_S * cores, self._credit_s + cores * passed_s - spent_s)
        if self._credit_s < 0 and not self._stopped:
            self._stopped = True
            self._signal(members, signal.SIGSTOP)
            if not self._told_of_cpu:
                self._told_of_cpu = True
                return LimitHit("cpu", spent_s / passed_s, cores, fatal=False)
        elif self._stopped and self._credit_s >= 0:
            self._stopped = False
            self._signal(members, signal.SIGCONT)
        elif self._credit_s >= _BURST_S * cores:
            self._told_of_cpu = False  # it rested: the next time is worth a word again
        return None

    def _signal(self, pids: Iterable[int], number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def processors_for(cores: float) -> tuple[int, ...]:
    """Return the processors that a plugin with so many cores may run on; none: all of this process's."""
    mine = sorted(os.sched_getaffinity(0))
    wanted = max(1, -(-int(cores * 1000) // 1000))
    if not cores or wanted >= len(mine):
        return ()
    # Spread over the machine: plugins that are all kept on the first one would share it.
    start = next(_turn) * wanted % len(mine)
    return tuple(sorted((mine + mine)[start : start + wanted]))


def _turns() -> Iterable[int]:
    number = 0
    while True:
        yield number
        number += 1


_turn = iter(_turns())
