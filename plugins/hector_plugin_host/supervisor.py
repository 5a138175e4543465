"""One plugin: its processes, the line in front of them, and what becomes of both when the plan changes."""

import asyncio
import logging
from asyncio import Task, get_running_loop
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grpc.aio import AioRpcError

from hector.plugin.v1 import GetInfoResponse
from hector_mesh import HectorError, Mesh

from .admission import Admission
from .backoff import Draw
from .breaker import Breaker, Circuit
from .call_errors import PluginFailed, PluginNotReady
from .channel import PluginChannel
from .clock import Clock
from .configuring import Told
from .fingerprint import Fingerprint, fingerprint
from .generation import Generation, Launch, same_process
from .logs import Journal
from .measuring import CIRCUIT_OPEN, IN_FLIGHT, QUEUE_S, SANDBOX_TIER, STATE
from .plan import PluginPlan
from .redacting import redacted
from .replica import Replica, Surroundings
from .status import STATES, PluginStatus, State, worst
from .visits import Visits
from .way import Way

if TYPE_CHECKING:
    from .serving import Door
    from .serving.state import Values

log = logging.getLogger(__name__)

AGAIN_S = 1.0
"""When to ask again for a plugin that is being started once more."""
_UNDER_WAY: frozenset[State] = frozenset({"stopped", "starting", "configuring", "crashed", "draining"})


@dataclass(frozen=True, slots=True)
class Means:
    """What all plugins of a host share."""

    launch: Launch
    clock: Clock
    draw: Draw
    host_version: str = ""
    mesh: Mesh | None = None
    """Where plugins reach what they are granted; None: nowhere."""
    values: "Values | None" = None
    """Where they keep things; None: in memory only."""


class Supervisor:
    """Runs one plugin as its plan says."""

    def __init__(self, plan: PluginPlan, means: Means) -> None:
        """Prepare; `start` begins."""
        self.plan = plan
        self.trouble = ""
        """Why the present plan is not what runs: what was to replace it is no good."""
        self.journal = Journal()
        """What its processes print."""
        self._means = means
        self.visits = Visits()
        self._door: Door | None = None
        self.admission = Admission[Generation](plan.name, means.clock, queue=plan.limits.queue)
        self.admission.away = self._away
        self.admission.on_waited = self._waited
        self.channel = PluginChannel(plan.name, self._way)
        self._breakers: dict[str, Breaker] = {}
        self._around = Surroundings(
            means.launch,
            means.clock,
            lambda: Told(means.host_version, self._door.target if self._door is not None else ""),
            means.draw,
            self.journal,
            self.admission,
            self._changed,
            self._fresh,
        )
        self._replicas: list[Replica] = []
        self._tasks: dict[Replica, Task[None]] = {}
        self._news = asyncio.Event()
        self._changing = asyncio.Lock()
        self._last_state: State = "stopped"
        self._tier = ""
        self._stopping = self._stopped = False

    async def start(self) -> None:
        """Begin all its processes, and return before any of them is ready."""
        try:
            await self._open_door(self.plan)
        except (OSError, HectorError) as error:  # it may do without; who calls it must not
            self.trouble = f"nothing can be granted: {error}"
            facts = {"plugin": self.plan.name, "error": str(error)}
            log.error("plugin's way to its host could not be opened", extra=facts)
        if self._stopping:
            return
        IN_FLIGHT.follow(lambda: float(self.admission.in_flight), self.plan.name)
        self._resize()

    async def stop(self) -> None:
        """Take no more calls, let those under way end, and end all processes."""
        self._stopping = True
        self.admission.close()
        for replica in self._replicas:
            replica.stop()
        await _all(list(self._tasks.values()))
        if self._door is not None:
            await self._door.close()
        self._stopped = True
        self._changed()

    async def reload(self) -> None:
        """Replace its processes one after the other, without a call noticing.

        Raises:
            HectorError: A new one is no good; what there was stays.
        """
        async with self._changing:
            await self._swap(self.plan)
            await self.settled()

    async def restart(self) -> None:
        """End its processes and start others, whatever there was to say against it.

        Raises:
            HectorError: They did not start.
        """
        async with self._changing:
            self.trouble = ""
            for replica in self._replicas:
                await replica.restart(self.plan)
            await self.settled()

    async def renew(self, plan: PluginPlan) -> None:
        """Go by another plan, with as little noise as that allows. What fails is said by `status`."""
        async with self._changing:
            changed = fingerprint(plan) != self.fingerprint()
            if plan == self.plan and not changed and self.state not in ("failed", "backoff"):
                self.trouble = ""
                return
            try:
                await self._go_by(plan, changed=changed)
                await self.settled()
            except (HectorError, AioRpcError) as error:
                text = str(error) if isinstance(error, HectorError) else error.details() or error.code().name
                self.trouble = redacted(text, plan.secrets)
                facts = {"plugin": plan.name, "error": self.trouble}
                log.error("plugin could not go by its new plan", extra=facts)
            self._changed()

    @property
    def state(self) -> State:
        """How it is, in a word."""
        state = worst([replica.state for replica in self._replicas])
        return "degraded" if state == "ready" and (self.trouble or self._open()) else state

    @property
    def reason(self) -> str:
        """Why it is not well, in a sentence; empty when it is."""
        reasons = dict.fromkeys(replica.reason or replica.failure for replica in self._replicas)
        told = [self.trouble, *reasons]
        if opened := self._open():
            told.append(f"calls of {', '.join(opened)} fail too often, and are refused for a while")
        once = [one for one in told if one and not any(one != other and one in other for other in told)]
        return "; ".join(dict.fromkeys(once))

    @property
    def info(self) -> GetInfoResponse | None:
        """What it says of itself."""
        lives = [replica.current for replica in self._replicas if replica.current is not None]
        return next((life.info for life in lives if life.info is not None), None)

    def status(self) -> PluginStatus:
        """Return how it is."""
        info, replicas = self.info, tuple(replica.status() for replica in self._replicas)
        kinds = tuple(dict.fromkeys(part.kind for part in info.components)) if info else ()
        return PluginStatus(
            name=self.plan.name,
            kinds=kinds or self.plan.kinds,
            state=self.state,
            reason=redacted(self.reason, self.plan.secrets),
            version=info.version if info is not None else "",
            generation=max((one.generation for one in replicas), default=0),
            in_flight=self.admission.in_flight,
            queued=self.admission.waiting,
            restarts=sum(one.restarts for one in replicas),
            circuits_open=self._open(),
            replicas=replicas,
            info=info,
            tail=self._tail(),
            origin=self.plan.origin,
        )

    async def settled(self) -> None:
        """Wait until it is ready, or known not to be for now."""
        while self.state in _UNDER_WAY and not self._stopped:
            self._news.clear()
            await self._news.wait()

    def fingerprint(self) -> Fingerprint | None:
        """Return which files run; None: there is no process."""
        lives = [replica.current for replica in self._replicas if replica.current is not None]
        return lives[0].fingerprint if lives else None

    def ready(self) -> list[Generation]:
        """Return the processes that take calls."""
        return list(self.admission.workers)

    async def _go_by(self, plan: PluginPlan, *, changed: bool) -> None:
        await self._open_door(plan)
        info, was_well = self.info, self.state in ("ready", "degraded")
        in_place = info is not None and info.reconfigurable and not changed
        if not was_well:
            await self._restart_as(plan)
        elif in_place and same_process(plan, self.plan):
            await self._each(plan, Replica.reconfigure)
        else:
            await self._swap(plan)
        self.plan, self.trouble = plan, ""
        self.admission.queue = plan.limits.queue
        self._resize()

    async def _restart_as(self, plan: PluginPlan) -> None:
        self.plan = plan  # there is nothing to keep
        for replica in self._replicas:
            await replica.restart(plan)

    async def _swap(self, plan: PluginPlan) -> None:
        try:
            await self._each(plan, Replica.swap)
        except HectorError as error:
            self.trouble = redacted(f"another one could not take its place: {error}", plan.secrets)
            self._changed()
            raise
        self.trouble = ""
        self._changed()

    async def _each(
        self, plan: PluginPlan, change: Callable[[Replica, PluginPlan], Coroutine[Any, Any, None]]
    ) -> None:
        """Have all of its processes go by a plan, or none of them.

        Raises:
            HectorError: One of them cannot.
            AioRpcError: Likewise.
        """
        changed: list[Replica] = []
        try:
            for replica in tuple(self._replicas):
                await change(replica, plan)
                changed.append(replica)
        except (HectorError, AioRpcError):
            for replica in changed if plan != self.plan else ():
                try:
                    await change(replica, self.plan)
                except (HectorError, AioRpcError) as error:
                    facts = {"plugin": self.plan.name, "error": redacted(str(error), plan.secrets)}
                    log.warning("plugin's process could not go back to its plan", extra=facts)
            raise

    def _resize(self) -> None:
        """Have as many processes as the plan says."""
        wanted = max(1, self.plan.limits.replicas)
        loop = get_running_loop()
        while len(self._replicas) < wanted:
            replica = Replica(self.plan, self._around, len(self._replicas) + 1)
            self._replicas.append(replica)
            task = loop.create_task(self._keep(replica), name=f"plugin-{self.plan.name}")
            self._tasks[replica] = task
        for replica in self._replicas[wanted:]:
            replica.stop()
        del self._replicas[wanted:]

    async def _keep(self, replica: Replica) -> None:
        try:
            await replica.run()
        except Exception:  # the border: a bug in supervising one plugin is not the others' end
            facts = {"plugin": self.plan.name}
            log.exception("supervision of a plugin ended by an unexpected error", extra=facts)
            replica.give_up("supervising it failed; the log says how")
            self._changed()
        finally:
            self._tasks.pop(replica, None)

    def _way(self, method: str, coders: tuple[Any, Any]) -> Way:
        breaker = self._breakers.setdefault(method, Breaker(self._changed))
        clock = self._means.clock
        return Way(lambda: self.plan, method, coders, self.admission, breaker, clock, self.visits)

    def _away(self, deadline: float) -> HectorError | None:
        """Say why a caller need not wait for a process; None: there will be one in time."""
        replicas = self._replicas
        if not replicas:
            return None
        if all(replica.gives_up for replica in replicas):
            return PluginFailed(self.plan.name, redacted(self.reason, self.plan.secrets))
        if any(_is_worth_waiting_for(replica) for replica in replicas):
            return None
        if all(replica.state in _UNDER_WAY or replica.gives_up for replica in replicas):
            return PluginNotReady(self.plan.name, redacted(self.reason, self.plan.secrets), AGAIN_S)
        now = self._means.clock.now()
        waiting = [replica for replica in replicas if not replica.gives_up and replica.state == "backoff"]
        next_start = min((replica.next_start for replica in waiting), default=now)
        if next_start < deadline and not all(replica.failure for replica in waiting):
            return None
        why = f"{redacted(self.reason, self.plan.secrets)}; it is started again in {next_start - now:.1f} s"
        return PluginNotReady(self.plan.name, why, next_start - now)

    def _fresh(self) -> None:
        for breaker in self._breakers.values():
            breaker.reset()

    def _changed(self) -> None:
        self._news.set()
        state, name = self.state, self.plan.name
        for method, breaker in self._breakers.items():
            open_ = breaker.circuit is not Circuit.CLOSED
            CIRCUIT_OPEN.set(name, method.rpartition("/")[2], value=float(open_))
        if state != self._last_state:
            facts = {"plugin": name, "state": state, "before": self._last_state, "reason": self.reason}
            log.info("plugin came to another state", extra=facts)
            self._last_state = state
            for one in STATES:
                STATE.set(name, one, value=float(one == state))
        for replica in self._replicas:
            tier = replica.status().tier
            if tier and tier != self._tier:
                if self._tier:
                    SANDBOX_TIER.set(name, self._tier, value=0)
                self._tier = tier
                SANDBOX_TIER.set(name, tier, value=1)

    def _waited(self, waited_s: float) -> None:
        QUEUE_S.observe(self.plan.name, value=waited_s)

    def _open(self) -> tuple[str, ...]:
        now_open = (m for m, b in self._breakers.items() if b.circuit is not Circuit.CLOSED)
        return tuple(method.rpartition("/")[2] for method in now_open)

    async def _open_door(self, plan: PluginPlan) -> None:
        """See that a plan's plugin finds what it is granted."""
        if self._door is None:
            if plan.grants.nothing:
                return
            from .serving import Door  # most plugins are granted nothing

            means = self._means
            self._door = Door(lambda: self.plan, means.mesh, means.values, self.visits, self._tokens)
        await self._door.open_for(plan)

    def _tokens(self) -> list[str]:
        return [token for replica in self._replicas for token in replica.tokens()]

    def _tail(self) -> tuple[str, ...]:
        lives = [replica.current for replica in self._replicas if replica.current is not None]
        for life in lives:
            if life.process is not None:
                return tuple(life.process.tail())
        return ()


def _is_worth_waiting_for(replica: Replica) -> bool:
    return replica.is_ready or (replica.state in _UNDER_WAY and not replica.failure)


async def _all(tasks: list[Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)
