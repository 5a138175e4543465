"""Confines one life of a plugin: what to run in place of its command, and what to do once that runs."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from hector_plugin_host.executable import mismatch
from hector_plugin_host.guard import MARK
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.security_events import report

from . import bubblewrap, cgroup
from .asking import Asking
from .bridging import Bridges
from .census import Census
from .control import Control, Met, ShimFailed, ShimGone
from .errors import SandboxNotHeld, SandboxRefused
from .inside import Layout, OuterGate, Relays, layout, proxy_env, write_files, write_users
from .lending import Lender
from .machine import Machine, survey
from .mediating import Mediator
from .networks import Policy
from .orders import Sandbox, is_mediated, orders_for
from .runtimes import told
from .tiers import Tier, networks_of, tier_for, unavailable
from .verifying import why_not_held
from .view import View, view_of
from .watchdog import LimitHit, Limits, Watchdog

log = logging.getLogger(__name__)

SHIM = Path(__file__).with_name("shim.py")
FOLDER = ".sandbox"
"""Of the plugin's private folder: what the sandbox needs itself."""
CHECK_S = 30.0
END_S = 2.0
_OURS = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
"""What our own Python may need to be found a second time."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@asynccontextmanager
async def confine(plan: PluginPlan, scratch: Path) -> AsyncIterator["Confined"]:
    """Give what is to be run in place of a plugin's command, for one life of it.

    Args:
        plan: The plugin.
        scratch: Its private folder, with a short path: it is at the same place inside.

    Raises:
        SandboxUnavailable: This machine cannot confine it, and it must be confined.
        SandboxRefused: What it is allowed does not exist, or cannot be enforced here.
    """
    machine = await asyncio.to_thread(survey)
    tier = tier_for(plan.name, plan.security, machine)
    if tier == "none" and plan.security.sandbox == "best-effort":
        report("sandbox_missing", plan.name, sandbox="best-effort")
        log.error(
            "plugin was started without isolation",
            extra={"plugin": plan.name, "why": unavailable(plan.name, plan.security, machine)},
        )
    confined = Confined(plan, scratch, tier, machine)
    try:
        await confined.open()
        yield confined
    finally:
        await confined.close()


class Confined:
    """One life of a plugin in its sandbox."""

    def __init__(self, plan: PluginPlan, scratch: Path, tier: Tier, machine: Machine) -> None:
        self._plan, self._scratch, self._machine = plan, scratch, machine
        self._wanted: Tier = tier
        self.tier: Tier = "none"
        """What confines it: known once `check` has seen that it holds."""
        self.memory = "none"
        """What keeps it below max_memory: "cgroup2", "rlimit+watchdog", or "none"."""
        security = plan.security
        self._limits = Limits(security.max_memory_bytes, security.max_cpu, security.max_processes)
        self._policy = Policy(anywhere=True) if tier == "none" else networks_of(plan.name, security)
        self._own_network = tier == "bubblewrap" and not self._policy.anywhere
        self._layout = layout(self._policy) if self._own_network else Layout()
        self._sandbox = Sandbox(plan, machine, tier, self._policy, self._layout, None)
        self._group: cgroup.Group | None = None
        self._control: Control | None = None
        self._census: Census | None = None
        self._asking: Asking | None = None
        self._relays: Relays | None = None
        self._bridges = Bridges(plan.name, scratch)
        self._gate: OuterGate | None = None
        self._mediator: Mediator | None = None
        self._lender: Lender | None = None
        self._pid = 0
        self._filtered = False
        self._refused_at = 0.0
        self.argv: tuple[str, ...] = plan.command
        self._env: Mapping[str, str] = {}
        """What the plugin has to have in its environment beside everything else."""
        self._given: Mapping[str, str] = {}
        if machine.linux and (tier != "none" or not self._limits.none or plan.sha256):
            self._prepare()

    async def open(self) -> None:
        """Make what has to be there before anything runs."""
        if not is_mediated(self._sandbox):
            return
        if self._policy.anywhere:
            self._lender = Lender(self._scratch)
            return
        place: tuple[str, int] | None = None
        if not self._policy.nowhere:
            self._gate = OuterGate(self._plan.name, self._policy, self._is_ours)
            place = await self._gate.start()
            self._env = {**self._env, **proxy_env(place, ())}
        self._mediator = Mediator(self._scratch, place, self._refused_connection)

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the variables with which `argv` is to be started.

        What stands around a plugin runs unconfined, and variables as LD_PRELOAD would have it load what the
        plugin brought along. So the plugin's are handed over at the last moment, and none of them before.

        Args:
            env: What the plugin is to have, from its host.
        """
        self._given = {**env, **self._env}
        if self._control is None:
            return dict(self._given)
        return _OURS | {MARK.decode(): str(self._scratch)}

    async def check(self, pid: int) -> int:
        """Wait until the plugin itself runs, see to it that it is confined, and return its own process id.

        Args:
            pid: The process that was started with `argv`.

        Raises:
            SandboxNotHeld: It runs, but not as it should; it has to be ended.
            ChecksumMismatch: It is not what the plan pins, and does not run.
            OSError: The plugin's program cannot be executed.
        """
        if self._control is None:
            self._pid, self._census = pid, Census(pid, pid)
            return pid
        try:
            async with asyncio.timeout(min(CHECK_S, self._plan.limits.start_timeout_s)):
                met = await self._meet(self._control, pid)
        except TimeoutError:
            raise SandboxNotHeld(self._plan.name, "it was not made in time") from None
        except ShimGone as error:
            raise SandboxNotHeld(self._plan.name, str(error)) from None
        except ShimFailed as error:
            if error.step == "execute":
                raise OSError(error.number, error.words, error.filename) from None
            if error.step == "checksum" and not error.number:
                raise mismatch(self._plan, error.words) from None
            raise SandboxNotHeld(self._plan.name, f"could not {error}") from None
        self._filtered = self._wanted != "none" or met.asks >= 0
        self._pid, self._census = met.pid, Census(pid, met.pid, filtered=self._filtered)
        if met.asks >= 0:
            self._asking = Asking(
                met.asks,
                self._limits.processes,
                self._census,
                self._refused_process,
                self._mediator,
                self._lender,
            )
        if met.listeners:
            self._relays = Relays(self._plan.name, self._policy, self._layout)
            await self._relays.start(met.listeners)
        why = why_not_held(met.pid, self._wanted, own_network=self._own_network)
        if why:
            raise SandboxNotHeld(self._plan.name, why)
        self.tier = self._wanted
        if self._limits.memory_bytes:
            self.memory = "cgroup2" if self._group is not None else "rlimit+watchdog"
        return met.pid

    async def watch(self) -> AsyncIterator[LimitHit]:
        """Yield limits that the plugin hits, until it is gone. A fatal one has ended all of its processes."""
        if self._census is None or self._limits.none or not self._machine.linux:
            return
        dog = Watchdog(self._census, self._limits, self._asking, self._group)
        async for hit in dog.watch():
            report(
                "limit_hit",
                self._plan.name,
                limit=hit.limit,
                found=hit.found,
                allowed=hit.allowed,
                fatal=hit.fatal,
            )
            log.log(
                logging.ERROR if hit.fatal else logging.WARNING,
                "plugin reached a limit",
                extra={"plugin": self._plan.name, "limit": hit.limit, "why": str(hit)},
            )
            yield hit

    async def reach(self, address: str) -> str:
        """Return where the host reaches an address at which the plugin listens, as "127.0.0.1:50051".

        Raises:
            SandboxRefused: It is a socket that the plugin cannot have made.
        """
        self._check_socket(address)
        host, colon, port = address.rpartition(":")
        if not self._own_network or not colon or not port.isdecimal() or host.startswith("unix"):
            return address
        return f"unix:{await self._bridges.to(self._pid, int(port))}"

    def _check_socket(self, address: str) -> None:
        """Refuse to be led to somebody else's socket: we are not in the plugin's sandbox."""
        view = self._sandbox.view
        if view is None or not address.startswith("unix:"):
            return
        path = Path(os.path.realpath(address.removeprefix("unix:")))
        if not any(path.is_relative_to(os.path.realpath(place)) for place in view.writable):
            why = f"it says that it listens at {path}, where it may not write"
            fix = "listen in the folder that PLUGIN_UNIX_SOCKET_DIR names"
            report("refused_call", self._plan.name, why=why)
            raise SandboxRefused(self._plan.name, why, fix)

    def members(self) -> list[int]:
        """Return all processes that belong to the plugin, its own included."""
        return self._census.members() if self._census is not None and self._machine.linux else []

    async def close(self) -> None:
        """Let go of everything that is the host's; the plugin has been ended."""
        if self._control is not None:
            self._control.close()
        await self._end_all()
        if self._asking is not None:
            self._asking.close()
        if self._relays is not None:
            await self._relays.close()
        if self._gate is not None:
            await self._gate.close()
        await self._bridges.close()
        if self._group is not None:
            self._group.remove()

    async def _end_all(self) -> None:
        """See that nothing is left of a plugin that has been ended: what left it, and what takes its time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + END_S
        while self._filtered and self._census is not None and (left := self._census.members()):
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if loop.time() > until:
                break
            await asyncio.sleep(0.01)

    def _prepare(self) -> None:
        plan = self._plan
        env = told(self._limits.memory_bytes, plan.env) if self._limits.memory_bytes else {}
        own = self._scratch / FOLDER
        around: list[str] = []
        if self._wanted != "none":
            if plan.data_dir is not None:
                plan.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sandbox = replace(self._sandbox, view=view_of(plan, self._scratch))
            if not self._policy.anywhere:
                nothing = dict.fromkeys(_PROXIES, "")
                env |= nothing | {name.lower(): "" for name in nothing} | self._layout.env()
            if "HOME" not in plan.env:
                env["HOME"] = str(plan.data_dir or self._scratch)
        own.mkdir(mode=0o700)
        if self._wanted == "bubblewrap":
            around = [*self._bubblewrap(own), "--"]
        self._control = Control(own)
        shim = (sys.executable, "-I", "-S", "-B", str(SHIM), str(self._control.path))
        self.argv, self._env = (*around, *shim, *plan.command), env

    def _bubblewrap(self, own: Path) -> list[str]:
        files = own / "etc"
        files.mkdir()
        uid, gid = os.getuid(), os.getgid()
        view = self._sandbox.view
        assert view is not None
        view = replace(view, granted=(*view.granted, SHIM))
        if self._own_network:
            write_files(files, self._layout, uid, gid)
        else:
            write_users(files, uid, gid)
            view = _with_names(view)
        capabilities = []
        if any(port < 1024 for _, port in self._layout.places):
            capabilities.append("CAP_NET_BIND_SERVICE")
        if self._layout.addresses:
            capabilities.append("CAP_NET_ADMIN")
        return bubblewrap.command(
            self._machine.bubblewrap, view, files, network=not self._own_network, capabilities=capabilities
        )

    async def _meet(self, control: Control, pid: int) -> Met:
        """Wait for the shim, or for the end of what was to lead to it."""
        orders = orders_for(self._sandbox) | {"environment": dict(self._given)}
        meeting = asyncio.ensure_future(control.meet(orders, self._place))
        ended = asyncio.ensure_future(_end_of(pid))
        try:
            await asyncio.wait((meeting, ended), return_when=asyncio.FIRST_COMPLETED)
            if not meeting.done():
                raise ShimGone(f"{Path(self.argv[0]).name} ended before the plugin was started")
            return meeting.result()
        finally:
            for task in (meeting, ended):
                task.cancel()
            await asyncio.wait((meeting, ended))

    def _place(self, pid: int) -> None:
        if self._limits.memory_bytes or self._limits.cores:
            place = cgroup.parent()
            if place is not None:
                with suppress(OSError):
                    name = f"hector-plugin-{self._plan.name}-{pid}"
                    self._group = cgroup.make(
                        place, name, memory_bytes=self._limits.memory_bytes, cores=self._limits.cores
                    )
                    self._group.add(pid)

    def _is_ours(self, port: int) -> bool:
        """Say whether a connection to the proxy was made for the plugin, which is said once of each."""
        if self._mediator is None or port not in self._mediator.ours:
            return False
        self._mediator.ours.discard(port)
        return True

    def _refused_connection(self, host: str, port: int) -> None:
        report("network_refused", self._plan.name, host=host, port=port, why="it is not its proxy")

    def _refused_process(self, found: int) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._refused_at < 1.0 and self._refused_at:
            return
        self._refused_at = now
        most = self._limits.processes
        report("limit_hit", self._plan.name, limit="processes", found=found, allowed=most, fatal=False)


async def _end_of(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _with_names(view: View) -> View:
    """Return a view with what resolves names, for a plugin with the host's network."""
    names = tuple(
        path for name in ("hosts", "resolv.conf", "nsswitch.conf") if (path := Path("/etc", name)).exists()
    )
    return replace(view, readable=(*view.readable, *names))
