"""All plugins of one process of Hector."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType

from hector_mesh import Mesh, metric_sources

from .backoff import Draw
from .call_errors import NoSuchPlugin
from .channel import PluginChannel
from .clock import Clock, RunningClock
from .collecting import PluginMetrics
from .generation import Generation, Launch
from .launching import launched
from .logs import Journal
from .newer_sockets import NewerSockets
from .orphans import reap
from .plan import PluginPlan
from .premises import Premises
from .renewed_programs import RenewedPrograms
from .scratch import sweep
from .status import PluginStatus
from .supervisor import Means, Supervisor

log = logging.getLogger(__name__)


class PluginHost:
    """Runs plugins as plans say, and gives each of them a channel that outlasts its processes."""

    def __init__(
        self,
        plans: Iterable[PluginPlan],
        premises: Premises,
        *,
        launch: Launch | None = None,
        clock: Clock | None = None,
        draw: Draw = random.uniform,
        host_version: str = "",
        mesh: Mesh | None = None,
        watches: bool = False,
    ) -> None:
        """Prepare; `running` begins.

        Args:
            plans: One for each plugin; names differ.
            premises: What is the same for all their processes.
            launch: Starts a process; None: `launched`.
            clock: Tells the time; None: the machine's.
            draw: Chooses between two numbers.
            host_version: What plugins are told.
            mesh: Where they reach models, tools and embedders that they are granted; None: nowhere.
            watches: Whether a plugin is replaced when its program has become another one.
        """
        self._premises = premises
        start = partial(launched, premises=premises) if launch is None else launch
        self._means = Means(start, clock or RunningClock(), draw, host_version, mesh, premises.values)
        self._supervisors = {plan.name: Supervisor(plan, self._means) for plan in plans}
        self._channels = {name: one.channel for name, one in self._supervisors.items()}
        self._leaving: set[asyncio.Task[None]] = set()
        self.programs = RenewedPrograms(self._means.clock, self._supervisors.values)
        """Looks after the files that plugins are run from, while `watch` is on."""
        self.sockets = NewerSockets(self._means.clock, self._supervisors.values)
        """Looks after the folders that plugins put their sockets into."""
        self._following: asyncio.Task[None] | None = None
        self._watches, self._watching = watches, set[asyncio.Task[None]]()
        self._is_running = self._is_begun = False

    @property
    def channels(self) -> Mapping[str, PluginChannel]:
        """By plugin; follows `renew`."""
        return MappingProxyType(self._channels)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all plugins. The block is entered at once, and left when all of them have ended."""
        reaping = asyncio.create_task(self._begin())
        own_metrics = PluginMetrics(self._lives, self._means.clock)
        metric_sources.join(own_metrics)
        try:
            self._is_running = True
            self.watch(on=self._watches)
            self._follow(one.plan for one in self._supervisors.values())
            yield
        finally:
            self.watch(on=False)
            if self._following is not None:
                self._following.cancel()
                self._watching.add(self._following)
            self._is_running = False
            metric_sources.leave(own_metrics)
            reaping.cancel()
            await asyncio.wait((reaping, *self._watching))
            for supervisor in self._supervisors.values():
                self._let_go(supervisor)
            await asyncio.gather(*self._leaving)

    def channel(self, name: str) -> PluginChannel:
        """Return what a plugin is called by, whatever becomes of its processes.

        Raises:
            NoSuchPlugin: No plan has that name.
        """
        return self._of(name).channel

    def journal(self, name: str) -> Journal:
        """Return what a plugin printed.

        Raises:
            NoSuchPlugin: No plan has that name.
        """
        return self._of(name).journal

    def status(self) -> tuple[PluginStatus, ...]:
        """Return how all plugins are."""
        return tuple(one.status() for one in self._supervisors.values())

    def degraded(self) -> Mapping[str, str]:
        """Return why plugins are not well, those that are well or are still being started left out."""
        found = {name: (one.state, one.reason) for name, one in self._supervisors.items()}
        return {
            name: reason or state
            for name, (state, reason) in found.items()
            if state in ("degraded", "backoff", "failed", "crashed") or reason
        }

    async def settled(self, name: str = "") -> None:
        """Wait until a plugin, or each of them, is ready or known not to be for now."""
        wanted = [self._of(name)] if name else list(self._supervisors.values())
        await asyncio.gather(*(one.settled() for one in wanted))

    async def reload(self, name: str) -> PluginStatus:
        """Replace a plugin's processes by new ones, without a call noticing.

        Raises:
            NoSuchPlugin: No plan has that name.
            HectorError: A new one is no good; what there was stays.
        """
        supervisor = self._of(name)
        await supervisor.reload()
        return supervisor.status()

    async def restart(self, name: str) -> PluginStatus:
        """End a plugin's processes and start others, even of one that was given up.

        Raises:
            NoSuchPlugin: No plan has that name.
            HectorError: It did not start.
        """
        supervisor = self._of(name)
        await supervisor.restart()
        return supervisor.status()

    def renew(self, plans: Iterable[PluginPlan]) -> asyncio.Task[None]:
        """Go by other plans. What did not change is not touched, and one that fails is said by `status`.

        When this returns, what is new can be called and what is gone cannot, though neither has happened yet;
        what it returns is for those who want to wait until all of it has.
        """
        wanted = {plan.name: plan for plan in plans}
        for name in self._supervisors.keys() - wanted.keys():
            self._let_go(self._supervisors.pop(name))
            del self._channels[name]
        under_way: list[Callable[[], Awaitable[None]]] = []
        for name, plan in wanted.items():
            if name in self._supervisors:
                under_way.append(partial(self._supervisors[name].renew, plan))
                continue
            self._supervisors[name] = supervisor = Supervisor(plan, self._means)
            self._channels[name] = supervisor.channel
            if self._is_begun and self._is_running:
                under_way.append(supervisor.start)
        self._follow(wanted.values())
        return asyncio.get_running_loop().create_task(_all(under_way), name="renew plugins")

    def watch(self, *, on: bool) -> None:
        """Replace plugins whose program has become another one, or do so no longer."""
        self._watches = on
        if not on:
            for task in self._watching:
                task.cancel()
        elif self._is_running and all(task.cancelling() for task in self._watching):
            task = asyncio.get_running_loop().create_task(
                self.programs.run(), name="watch programs of plugins"
            )
            self._watching.add(task)
            task.add_done_callback(self._watching.discard)

    async def drain(self, limit_s: float) -> None:
        """Return when no call is under way, or after so many seconds."""
        clock = self._means.clock
        until = clock.now() + limit_s
        while clock.now() < until and any(one.admission.in_flight for one in self._supervisors.values()):
            await clock.sleep(0.05)

    async def _begin(self) -> None:
        """Start all plugins, once nothing is left of those of a host that was killed."""
        if self._supervisors:
            await asyncio.to_thread(self._clear)
        self._is_begun = True
        await asyncio.gather(*(one.start() for one in self._supervisors.values()))

    def _follow(self, plans: Iterable[PluginPlan]) -> None:
        """Look after folders of sockets from the first plan on that has one."""
        if self._is_running and self._following is None and any(plan.mode == "watch" for plan in plans):
            loop = asyncio.get_running_loop()
            self._following = loop.create_task(self.sockets.run(), name="follow sockets of plugins")

    def _clear(self) -> None:
        try:
            if self._premises.state_dir is not None:
                reap(self._premises.state_dir)
            if count := sweep():
                log.info("folders of plugins of killed servers were removed", extra={"count": count})
        except OSError as error:
            facts = {"error": str(error)}
            log.warning("plugins of an earlier server could not be looked for", extra=facts)

    def _lives(self) -> Iterator[tuple[str, Generation]]:
        for name, supervisor in self._supervisors.items():
            for life in supervisor.ready():
                yield name, life

    def _let_go(self, supervisor: Supervisor) -> None:
        task = asyncio.get_running_loop().create_task(supervisor.stop())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _of(self, name: str) -> Supervisor:
        try:
            return self._supervisors[name]
        except KeyError:
            raise NoSuchPlugin(name, tuple(self._supervisors)) from None


async def _all(work: Iterable[Callable[[], Awaitable[None]]]) -> None:
    await asyncio.gather(*(each() for each in work))
