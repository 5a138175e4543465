"""One place for a process of a plugin: keeps one there, replaces it, and gives up on it for a while."""

import asyncio
import logging
from asyncio import Future, get_running_loop
from collections.abc import Callable
from dataclasses import dataclass

from hector_mesh import HectorError

from .admission import Admission
from .backoff import Draw, Restarts
from .clock import Clock
from .configuring import PluginMisconfigured, Told
from .generation import Ended, Generation, Launch
from .logs import Journal
from .measuring import RESTARTS, SWAPS
from .plan import PluginPlan
from .redacting import redacted
from .sandbox import SandboxUnavailable
from .security_events import Event, report
from .start_failed import AddressRefused, ChecksumMismatch, ExecutableUnusable, PluginStartFailed
from .status import ReplicaStatus, State
from .watching import sleep_or

log = logging.getLogger(__name__)

FOR_GOOD_S = 365 * 24 * 3600.0
REFUSED = frozenset(one.reason.lower() for one in (AddressRefused, ExecutableUnusable, PluginMisconfigured))
"""Why a plugin never ran as it is configured: somebody has a mistake to mend, and nothing has crashed."""
EXCLUSIVE = "exclusive"
"""The feature of a plugin of which there cannot be two at once."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all places of one plugin share."""

    launch: Launch
    clock: Clock
    told: Callable[[], Told]
    draw: Draw
    journal: Journal
    admission: Admission[Generation]
    changed: Callable[[], None]
    """Called after each change of state."""
    fresh: Callable[[], None]
    """Called when a new process takes calls: what the one before did wrong is forgotten."""


class Replica:
    """One place. `run` keeps a process in it until `stop`; only `run` says which."""

    def __init__(self, plan: PluginPlan, around: Surroundings, place: int = 1) -> None:
        self.plan, self.place = plan, place
        self.current: Generation | None = None
        self.state: State = "stopped"
        self.reason = ""
        self.next_start = 0.0
        """When the next start is, while it waits for one."""
        self.gives_up = False
        """Whether it is in vain to wait for it: quarantined, or failed for good."""
        self.failure = ""
        """Why the last start came to nothing; empty once there was a process that took calls. Callers wait
        for the first start, and for the one after a crash, but not for one try after the other."""
        self.generations = 0
        self._around, self._clock = around, around.clock
        self._since = self._clock.now()
        self._restarts = self._new_restarts(plan)
        self._signal = asyncio.Event()
        self._stopping = self._again = False
        self._handed: Generation | None = None
        self._awaited: list[Future[Generation]] = []
        self._lives: set[Generation] = set()
        """All that are not over: the present one, those that it replaced, and one that is to replace it."""
        self._changing = asyncio.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether there is a process that takes calls."""
        return self.state in ("ready", "degraded")

    def status(self) -> ReplicaStatus:
        """Return how it is."""
        current = self.current
        process = current.process if current is not None else None
        return ReplicaStatus(
            state=self.state,
            reason=self.reason or self.failure,
            generation=current.number if current is not None else 0,
            pid=process.pid if process is not None else None,
            target=process.target if process is not None else "",
            tier=process.tier if process is not None else "",
            in_flight=current.in_flight if current is not None else 0,
            restarts=self._restarts.total,
            ready_s=process.ready_s if process is not None else 0.0,
            since_s=self._clock.now() - self._since,
        )

    async def run(self) -> None:
        """Keep a process there until `stop`, and wait for the end of all that there were."""
        try:
            while not self._stopping:
                self._again = False
                generation, self._handed = self._handed or self._begin(self.plan), None
                for waiting in self._awaited:
                    if not waiting.done():
                        waiting.set_result(generation)
                self._awaited.clear()
                pause_s = await self._live(generation)
                if pause_s and not self._is_told():
                    self._signal.clear()
                    await sleep_or(self._clock, pause_s, self._signal)
        finally:
            for waiting in self._awaited:
                if not waiting.done():
                    waiting.set_exception(PluginStartFailed(self.plan.name, "it is being stopped"))
            for life in tuple(self._lives):
                _retire(life)
            if self._lives:
                await asyncio.wait([life.over for life in self._lives])
            self._become("stopped")

    async def swap(self, plan: PluginPlan) -> None:
        """Put a new process in the place of the one there, without a call noticing.

        Raises:
            HectorError: The new one is no good; the old one stays.
        """
        async with self._changing:
            self._check_open()
            old = self.current
            if old is None or not self.is_ready:
                await self._anew(plan)
                return
            if old.info is not None and EXCLUSIVE in old.info.features:
                await self._swap_exclusive(plan)
                return
            candidate = self._begin(plan)
            try:
                await _until_ready(candidate)
            except BaseException as error:
                _retire(candidate)
                SWAPS.add(plan.name, "failed")
                if isinstance(error, ChecksumMismatch):
                    report("checksum_mismatch", plan.name, reason=error.reason.lower())
                log.warning("plugin was not replaced", extra=self._facts(error=str(error)))
                raise
            self.plan = plan
            await self._hand_over(candidate)
            SWAPS.add(plan.name, "done")

    async def restart(self, plan: PluginPlan) -> None:
        """End the process there, if there is one, and start another; crashes are forgotten.

        Raises:
            HectorError: It did not start; it will be tried again.
        """
        async with self._changing:
            await self._anew(plan)

    async def reconfigure(self, plan: PluginPlan) -> None:
        """Give the process there other settings.

        Raises:
            HectorError: It keeps to those that it has.
            AioRpcError: Likewise.
        """
        async with self._changing:
            if self.current is None or not self.is_ready:
                await self._anew(plan)
                return
            await self.current.reconfigure(plan)
            self.plan = plan

    def tokens(self) -> list[str]:
        """Return what its processes show when they ask for something."""
        shown = (dict(life.metadata).get("hector-token") for life in self._lives)
        return [token for token in shown if token]

    def stop(self) -> None:
        """Let its calls end, and then end it; `run` returns when that is done."""
        self._stopping = True
        self._signal.set()

    def give_up(self, why: str) -> None:
        """Say that there will be no process here any more."""
        self.gives_up = True
        self._become("failed", why)
        self._around.admission.reconsider()

    async def _live(self, generation: Generation) -> float:
        """Keep one life until it is over, or another's turn; return how long to wait before the next."""
        self.current, ready_at = generation, None
        try:
            if await self._until(generation.started) and generation.started.exception() is None:
                ready_at = self._clock.now()
                self._take_calls(generation)
                await self._until(generation.over)
            if self._is_told() and not generation.over.done():
                await self._replaced(generation)
                return 0.0
            ended = await generation.over
        finally:
            self._around.admission.leave(generation)
            self.current = None
        if ended.wanted:
            return 0.0
        return self._crashed(ended, None if ready_at is None else self._clock.now() - ready_at)

    async def _replaced(self, generation: Generation) -> None:
        """Let a life go whose place another one takes, or nobody."""
        if self._handed is not None:
            if self._handed.is_alive:
                self._around.admission.replace(generation, self._handed)
                self._around.fresh()
            _retire(generation)
            return
        self._become("draining", "it is being replaced" if self._again else "it is being stopped")
        self._around.admission.leave(generation)
        _retire(generation)
        await generation.over

    def _take_calls(self, generation: Generation) -> None:
        if not generation.is_alive:
            return
        self.failure = ""
        generation.on_serving(lambda serving: self._says(generation, serving=serving))
        self.gives_up = False
        self._around.admission.join(generation)
        self._around.fresh()
        self._become("ready")
        generation.called.set_result(None)
        self._says(generation, serving=generation.serving)

    def _says(self, generation: Generation, *, serving: bool) -> None:
        """Follow what a process says of itself."""
        if generation is not self.current or not self.is_ready:
            return
        if serving:
            self._around.admission.join(generation)
            self._become("ready")
        else:
            self._become("degraded", "it says that it does not serve at the moment")
            self._around.admission.leave(generation)

    def _crashed(self, ended: Ended, well_s: float | None) -> float:
        """Take note of the end of a life that nobody had asked for; return how long to wait.

        Args:
            ended: How it ended.
            well_s: How long it had taken calls; None: it never did.
        """
        plan = self.plan
        why = redacted(ended.sentence or ended.reason, plan.secrets)
        self.failure = why if well_s is None else ""
        if not (ended.final and ended.reason in REFUSED):
            RESTARTS.add(plan.name, ended.reason)
            report(_event_of(ended), plan.name, reason=ended.reason, generation=self.generations)
        if ended.final:
            self.give_up(why)
            log.error("plugin failed and is not started again", extra=self._facts(error=why))
            return FOR_GOOD_S
        follows = self._restarts.crashed(self._clock.now(), well_s=well_s or 0.0)
        self.next_start = self._clock.now() + follows.delay_s
        self.gives_up = follows.quarantined
        facts = self._facts(error=why, next_start_s=round(follows.delay_s, 3), reason=ended.reason)
        if follows.quarantined:
            self._become("failed", f"it ended again and again, at last: {why}")
            log.error("plugin crashed again and again and was put aside", extra=facts)
        else:
            self._become("backoff", why)
            log.warning("plugin ended without being asked to", extra=facts)
        self._around.admission.reconsider()
        return max(follows.delay_s, 0.001)

    async def _anew(self, plan: PluginPlan) -> None:
        self.plan, self._restarts = plan, self._new_restarts(plan)
        self.gives_up, self.failure = False, ""
        generation = await self._next_begun()
        await _until_ready(generation)
        await asyncio.wait((generation.called, generation.over), return_when=asyncio.FIRST_COMPLETED)

    async def _next_begun(self) -> Generation:
        self._check_open()
        self._again = True
        return await self._told()

    async def _swap_exclusive(self, plan: PluginPlan) -> None:
        """Replace a plugin of which there cannot be two: calls wait meanwhile."""
        before = self.plan
        try:
            await self._anew(plan)
        except HectorError:
            SWAPS.add(plan.name, "failed")
            await self._anew(before)
            raise
        SWAPS.add(plan.name, "done")

    def _check_open(self) -> None:
        if self._stopping:
            raise PluginStartFailed(self.plan.name, "it is being stopped")

    async def _hand_over(self, candidate: Generation) -> None:
        if self._stopping:
            _retire(candidate)
            raise PluginStartFailed(self.plan.name, "it is being stopped")
        self._handed = candidate
        await self._told()

    async def _told(self) -> Generation:
        """Give `run` the order that was noted, and return the life that it began, or took."""
        begun: Future[Generation] = get_running_loop().create_future()
        self._awaited.append(begun)
        self._signal.set()
        return await begun

    def _begin(self, plan: PluginPlan) -> Generation:
        self.generations += 1
        around = self._around
        generation: Generation

        def on_change(state: State) -> None:
            if generation is self.current and state != "draining":
                if state == "crashed":
                    around.admission.leave(generation)
                self._become(state)

        generation = Generation(
            plan, self.generations, around.launch, self._clock, around.told(), around.journal, on_change
        )
        generation.place = self.place
        self._lives.add(generation)
        generation.over.add_done_callback(lambda _: self._lives.discard(generation))
        return generation

    async def _until(self, future: "Future[object] | Future[None] | Future[Ended]") -> bool:
        """Wait for a life's next step, or an order; say whether it was the former."""
        if not self._is_told():
            self._signal.clear()
            ordered = asyncio.ensure_future(self._signal.wait())
            try:
                await asyncio.wait((future, ordered), return_when=asyncio.FIRST_COMPLETED)
            finally:
                ordered.cancel()
                await asyncio.wait((ordered,))
        return future.done() and not future.cancelled()

    def _is_told(self) -> bool:
        return self._stopping or self._again or self._handed is not None

    def _become(self, state: State, reason: str = "") -> None:
        self.state, self.reason, self._since = state, reason, self._clock.now()
        self._around.changed()

    def _new_restarts(self, plan: PluginPlan) -> Restarts:
        # One that is not ours is tried for ever: nobody tells us when it has been mended.
        return Restarts(plan.restart, self._around.draw, quarantine=plan.starts_a_process)

    def _facts(self, **more: object) -> dict[str, object]:
        return {"plugin": self.plan.name, "generation": self.generations, **more}


def _event_of(ended: Ended) -> Event:
    if ended.reason == ChecksumMismatch.reason.lower():
        return "checksum_mismatch"
    if ended.reason == SandboxUnavailable.reason.lower():
        return "sandbox_missing"
    return "limit_hit" if ended.reason.endswith("_limit") else "crash"


def _retire(generation: Generation) -> None:
    generation.retire(generation.plan.limits.drain_s)


async def _until_ready(generation: Generation) -> None:
    """Wait until a life takes calls.

    Raises:
        HectorError: It never will.
    """
    await asyncio.wait((generation.started,))
    if generation.started.cancelled():
        raise PluginStartFailed(generation.plan.name, "it was stopped meanwhile")
    if error := generation.started.exception():
        raise error
