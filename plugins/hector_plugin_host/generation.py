"""One life of a plugin: a process from its start to its end, and the calls that it has."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import grpc.aio

from hector.plugin.v1 import GetInfoResponse
from hector_mesh import HectorError

from .clock import Clock
from .closing import ConnectionClosed, connected
from .configuring import PluginMisconfigured, PluginSilent, Told, introduced, settings
from .fingerprint import fingerprint
from .idempotent import tool_may_repeat
from .logs import Journal
from .measuring import READY_S
from .plan import PluginPlan
from .process import ExitInfo, PluginProcess
from .start_failed import PluginStartFailed
from .status import State
from .watching import Watching

log = logging.getLogger(__name__)

ABORT_S = 5.0
"""How long calls may take to notice that they were broken off."""
EXIT_S = 0.5
"""How long to wait for the reason of a process that broke a talk off."""
END_S = 2.0
"""What a process gets to answer Shutdown, with no call left."""


class Launch(Protocol):
    """Starts a process, or finds one, and ends it on the way out: `launching.launched` with its premises."""

    def __call__(
        self, plan: PluginPlan, *, generation: int, host_target: str, journal: Journal
    ) -> AbstractAsyncContextManager[PluginProcess]:
        """Return the process, which says that it serves.

        Raises:
            PluginStartFailed: It does not.
        """


class PluginLost(PluginStartFailed):
    """It ended while it was being made ready."""

    reason = "PLUGIN_EXITED"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a life ended."""

    reason: str
    """In a word, as "signal", "unresponsive", "stopped"."""
    sentence: str = ""
    final: bool = False
    wanted: bool = False
    tail: tuple[str, ...] = ()


class Generation:
    """One life, begun at once; `started` says what came of that, and `over` is set after the last of it."""

    def __init__(
        self,
        plan: PluginPlan,
        number: int,
        launch: Launch,
        clock: Clock,
        told: Told,
        journal: Journal,
        on_change: Callable[[State], None],
    ) -> None:
        """Begin it.

        Args:
            plan: What to start.
            number: The how manieth it is.
            launch: Starts the process.
            clock: Tells the time.
            told: What else the process hears.
            journal: Where its lines are kept.
            on_change: Hears of each state that it comes to.
        """
        loop = asyncio.get_running_loop()
        self.plan, self.number = plan, number
        self.fingerprint = fingerprint(plan)
        self.process: PluginProcess | None = None
        self.metadata: tuple[tuple[str, str], ...] = ()
        """What each call of it carries."""
        self.info: GetInfoResponse | None = None
        self.place = 1
        """Which of the plugin's processes that run side by side it is."""
        self.limit, self.in_flight = 0, 0
        self.answers = 0
        """How often it has answered anything; a sign of life."""
        self.serving = True
        self.is_retiring = False
        self.is_closing = False
        """Whether its connection is being closed: calls that are cancelled with it are lost."""
        self.started: asyncio.Future[None] = loop.create_future()
        self.called: asyncio.Future[None] = loop.create_future()
        """Done when it is the one that gets its place's calls."""
        self.over: asyncio.Future[Ended] = loop.create_future()
        self.calls: set[Any] = set()
        """Calls under way, to be broken off if they outlast it; each has `abort`."""
        self._launch, self._clock, self._told, self._on_change = launch, clock, told, on_change
        self._journal = journal
        self._channel: grpc.aio.Channel | None = None
        self._farewell: Callable[[float], Awaitable[None]] | None = None
        self._retiring, self._idle = asyncio.Event(), asyncio.Event()
        self._drain_s = plan.limits.drain_s
        self._starts: dict[tuple[str, str], Any] = {}
        self._seen = 0
        self._on_serving: Callable[[bool], None] = lambda serving: None
        self._task = loop.create_task(self._live(), name=f"plugin-{plan.name}-{number}")

    @property
    def is_alive(self) -> bool:
        """Whether its process is there, as far as one knows."""
        return self.process is not None and not self.process.exited.done() and not self.over.done()

    def exit_sentence(self) -> str:
        """Say how its process ended; empty if it has not."""
        process = self.process
        return f"it {process.exited.result()}" if process is not None and process.exited.done() else ""

    async def is_gone(self) -> None:
        """Wait a moment for the end of a process with which the connection was lost."""
        if self.process is not None:
            await asyncio.wait((self.process.exited,), timeout=EXIT_S)

    async def tool_may_repeat(self, wire: bytes) -> bool:
        """Say whether the tool that a request calls may be called twice."""
        assert self.process is not None
        try:
            with connected():
                return await tool_may_repeat(self.process.channel, self.metadata, wire)
        except ConnectionClosed:
            return False

    def start(self, shape: str, method: str) -> Any:
        """Return what starts calls of a method: bytes in, bytes out. `shape`: unary_unary or unary_stream."""
        found = self._starts.get((shape, method))
        if found is None:
            assert self._channel is not None
            found = self._starts[shape, method] = getattr(self._channel, shape)(method)
        return found

    def on_serving(self, function: Callable[[bool], None]) -> None:
        """Hear from now on when it says that it serves, or no more."""
        self._on_serving = function

    def left(self) -> None:
        """Take note that a call of it has ended."""
        if self._retiring.is_set() and not self.in_flight:
            self._idle.set()

    def retire(self, drain_s: float) -> None:
        """Let its calls end, and then end it; `over` tells when that is done."""
        if not self.started.done():
            self._task.cancel()
            return
        self._drain_s, self.is_retiring = drain_s, True
        self._retiring.set()
        self.left()

    async def reconfigure(self, plan: PluginPlan) -> None:
        """Give the running process other settings.

        Raises:
            PluginMisconfigured: It keeps to those that it has.
            PluginSilent: It ended meanwhile.
            AioRpcError: It did not answer.
        """
        assert self.process is not None
        try:
            with connected():
                await settings(self.process, plan, self._told, self.info, plan.limits.start_timeout_s)
        except ConnectionClosed:
            raise PluginSilent(plan.name, "it ended while it was given other settings") from None
        self.plan = plan

    async def stop(self) -> None:
        """End it at once, whatever it is at."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def _live(self) -> None:
        ended = Ended("stopped", wanted=True)
        try:
            ended = await self._lived()
        except asyncio.CancelledError:
            raise
        except HectorError as error:
            final = isinstance(error, PluginStartFailed) and error.final
            ended = Ended(error.reason.lower(), str(error), final=final)
            self._fail(error)
        except Exception as error:  # the border: a bug in one plugin's life is not the others' end
            log.exception("plugin's life ended by an unexpected error", extra={"plugin": self.plan.name})
            why = f"an unexpected {type(error).__name__}, which the log has"
            ended = Ended("internal", why)
            self._fail(PluginStartFailed(self.plan.name, why))
        finally:
            if not self.started.done():
                self.started.cancel()
            if not self.over.done():
                self.over.set_result(ended)

    async def _lived(self) -> Ended:
        plan = self.plan
        self._on_change("starting")
        begun = self._clock.now()
        launching = self._launch(
            plan, generation=self.number, host_target=self._told.host_target, journal=self._journal
        )
        async with launching as process:
            self.process, self.metadata = process, process.metadata
            self._told = replace(self._told, host_target=process.host_target)
            self._on_change("configuring")
            await self._introduce(process)
            READY_S.observe(plan.name, value=self._clock.now() - begun)
            self.started.set_result(None)
            try:
                return await self._at_work(process)
            finally:
                self.is_closing = True

    def _fail(self, error: HectorError) -> None:
        if not self.started.done():
            self.started.set_exception(error)
            self.started.exception()  # nobody has to ask

    async def _introduce(self, process: PluginProcess) -> None:
        plan = self.plan
        limit_s = plan.limits.start_timeout_s
        try:
            met = await introduced(process, plan, self._told, self._clock, limit_s)
            self.info, self._channel, self._farewell = met
        except PluginMisconfigured:
            raise
        except PluginStartFailed as error:
            exit_ = await self._exit_of(process)
            if exit_ is None:
                raise
            tail = tuple(process.tail())
            raise PluginLost(plan.name, f"it {exit_}", tail=tail, final=exit_.final) from error
        own = self.info.max_concurrency if self.info is not None else 0
        self.limit = min(filter(None, (own, plan.limits.max_concurrency)), default=0)

    async def _exit_of(self, process: PluginProcess) -> ExitInfo | None:
        await asyncio.wait((process.exited,), timeout=EXIT_S)
        return process.exited.result() if process.exited.done() else None

    async def _at_work(self, process: PluginProcess) -> Ended:
        """Watch it until it is gone, silent or to be ended, and end it."""
        watching = Watching(
            process.channel, process.metadata, self._clock, busy=self._answered, serving=self._says
        )
        loop = asyncio.get_running_loop()
        silent = loop.create_task(watching.until_silent())
        listening = loop.create_task(watching.listen())
        retiring = loop.create_task(self._retiring.wait())
        try:
            await asyncio.wait((process.exited, silent, retiring), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, retiring, silent):
                task.cancel()
            await asyncio.wait((listening, retiring, silent))
        if process.exited.done():
            self._on_change("crashed")
            return _ended(process.exited.result(), process)
        if not self._retiring.is_set():
            self._on_change("crashed")
            process.kill("unresponsive")
            why = "it gave no sign of life, and was killed"
            return Ended("unresponsive", why, tail=tuple(process.tail()))
        self._on_change("draining")
        await self._drained(process)
        if self._farewell is not None and self.plan.starts_a_process:
            await self._farewell(END_S)
        await process.end(END_S, "stopped")
        return Ended("stopped", wanted=True)

    async def _drained(self, process: PluginProcess) -> None:
        """Wait until its calls have ended; break off those that take too long."""
        idle = asyncio.ensure_future(self._idle.wait())
        try:
            async with self._clock.timeout(self._drain_s):
                await asyncio.wait((idle, process.exited), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            facts = {"plugin": self.plan.name, "generation": self.number, "calls": self.in_flight}
            log.warning("plugin's calls outlasted it and were broken off", extra=facts)
            for call in tuple(self.calls):
                call.abort(self._drain_s)
        finally:
            idle.cancel()
            await asyncio.wait((idle,))

    def _answered(self) -> bool:
        answered, self._seen = self.answers != self._seen, self.answers
        return answered

    def _says(self, serving: bool) -> None:
        if serving is not self.serving:
            self.serving = serving
            self._on_serving(serving)


def _ended(exit_: ExitInfo, process: PluginProcess) -> Ended:
    return Ended(exit_.reason, f"it {exit_}", final=exit_.final, tail=tuple(process.tail()))


def same_process(one: PluginPlan, other: PluginPlan) -> bool:
    """Say whether two plans differ only in what a process is told by Configure."""
    return (
        replace(one, config_json=other.config_json, instances=other.instances, secrets=other.secrets) == other
    )
