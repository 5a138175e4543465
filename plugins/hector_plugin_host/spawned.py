"""A plugin in a process of ours, from the moment it is ready."""

import asyncio
import logging

import grpc.aio

from . import ending, go_stdio
from .child import Child, Ended
from .logs import Printed
from .plan import PluginPlan
from .process import ExitInfo, Metadata
from .sandbox import Confined

WATCHED_S = 0.5
READ_S = 2.0
SHELL = 128
"""What is added to a signal's number where an exit code has to say that it was one."""

log = logging.getLogger(__name__)


class Spawned:
    """One life; `PluginProcess` says what of it is for others."""

    def __init__(
        self, plan: PluginPlan, generation: int, child: Child, printed: Printed, metadata: Metadata
    ) -> None:
        self.plan, self.generation = plan, generation
        self.metadata = metadata
        self.child, self.printed = child, printed
        self.pid: int | None = child.pid
        self.target = ""
        self.host_target = ""
        self.serves_health = True
        self.tier = "none"
        self.ready_s = 0.0
        self.exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
        self._channel: grpc.aio.Channel | None = None
        self._reason = ""
        self._wanted = False
        self._ending: asyncio.Task[None] | None = None
        self._stdio: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._settling = asyncio.get_running_loop().create_task(
            self._settle(), name=f"plugin-{plan.name}-exit"
        )

    @property
    def channel(self) -> grpc.aio.Channel:
        """The connection to it."""
        assert self._channel is not None, "it is ready"
        return self._channel

    async def confine(self, confined: Confined) -> None:
        """See that it is confined as it should be, and have it watched for what it may use.

        Raises:
            SandboxNotHeld: It is not.
            OSError: Its program cannot be run.
        """
        self.child.members = confined.members
        self.pid = self.child.inner_pid = self.printed.pid = await confined.check(self.child.pid)
        self.tier = confined.tier
        self._watching = asyncio.get_running_loop().create_task(
            self._watch(confined), name=f"plugin-{self.plan.name}-limits"
        )

    def connected(self, channel: grpc.aio.Channel, target: str) -> None:
        """Take note of where it is."""
        self._channel, self.target = channel, target

    def read_stdio(self) -> None:
        """Read what go-plugin's newer releases print, from now to its end."""
        self._stdio = asyncio.get_running_loop().create_task(
            go_stdio.read(self.channel, self.metadata, self.printed), name=f"plugin-{self.plan.name}-stdio"
        )

    def tail(self) -> tuple[str, ...]:
        """Return the last lines that it printed."""
        return self.printed.tail()

    async def last_words(self) -> tuple[str, ...]:
        """Return the same, once what an ended process wrote last has been read."""
        if self.child.ended.done():
            await asyncio.wait((self.exited,), timeout=READ_S)
        return self.tail()

    def kill(self, reason: str) -> None:
        """Kill it at once, with all that it started."""
        if not self.child.ended.done():
            self._reason = self._reason or reason
            self.child.kill()

    async def end(self, grace_s: float = ending.ASKED_S, reason: str = "stopped") -> None:
        """End it, by the ladder; who comes second waits with the first."""
        if self._ending is None:
            if not self.child.ended.done():
                self._wanted, self._reason = True, self._reason or reason
            self._ending = asyncio.get_running_loop().create_task(
                self._end(grace_s), name=f"plugin-{self.plan.name}-end"
            )
        await asyncio.shield(self._ending)

    async def _end(self, grace_s: float) -> None:
        try:
            rung = await ending.end(self.child, self._channel, self.metadata, grace_s)
            facts = {"plugin": self.plan.name, "pid": self.pid, "generation": self.generation, "by": rung}
            log.debug("plugin ended", extra=facts)
        finally:
            if self._stdio is not None:
                self._stdio.cancel()
                await asyncio.wait((self._stdio,))
            if self._channel is not None:
                await self._channel.close()
        if not self.child.ended.done():  # not even killing it helped: nobody is to wait for it
            self._settling.cancel()
            return
        await self._settling

    async def _settle(self) -> None:
        """Wait for the end, read what was printed last, and say how it was."""
        ended = await asyncio.shield(self.child.ended)
        if self._watching is not None:  # which may be about to say that it was a limit
            await asyncio.wait((self._watching,), timeout=WATCHED_S)
            self._watching.cancel()
            await asyncio.wait((self._watching,))
        await self.child.close()
        self.printed.close()
        self.exited.set_result(self._exit_info(ended))

    async def _watch(self, confined: Confined) -> None:
        async for hit in confined.watch():
            if hit.fatal:
                self._reason = self._reason or hit.reason

    def _exit_info(self, ended: Ended) -> ExitInfo:
        if self.tier == "bubblewrap" and ended.code is not None and ended.code > SHELL:
            ended = Ended(None, ended.code - SHELL)
        reason = self._reason or ("signal" if ended.signal is not None else "exited")
        return ExitInfo(
            ended.code, ended.signal, reason, self._wanted, self.printed.crash_report, self.printed.tail()
        )
