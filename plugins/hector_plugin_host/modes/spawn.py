"""Starts a plugin's process and waits until it serves: `spawn`, and `listen`, where it says no line."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import grpc.aio

from hector.plugin.v1 import PluginKind
from hector_plugin_host import executable, orphans, sandbox
from hector_plugin_host.child import Child
from hector_plugin_host.connecting import NotServing, Unanswered, open_channel, until_serving
from hector_plugin_host.environment import environment
from hector_plugin_host.finding import Found, find
from hector_plugin_host.first_line import FirstLine
from hector_plugin_host.handshake import NoHandshake
from hector_plugin_host.logs import Journal, Printed
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.premises import Premises
from hector_plugin_host.process import ExitInfo
from hector_plugin_host.sandbox import Confined
from hector_plugin_host.scratch import scratch_folder
from hector_plugin_host.spawned import Spawned
from hector_plugin_host.start_failed import ExecutableUnusable, PluginStartFailed, quoted

TOKEN_BYTES = 32
EXIT_S = 1.0
"""How long a process that broke a connection off may take to be gone."""
HOST_SOCKET = "host.sock"


@asynccontextmanager
async def spawned(
    plan: PluginPlan, premises: Premises, generation: int, host_target: str, journal: Journal | None
) -> AsyncIterator[Spawned]:
    """Give a plugin in a process of its own, with a folder of its own; both are gone afterwards.

    Raises:
        PluginStartFailed: It did not become ready.
    """
    if os.name == "nt":
        why = "Hector starts plugins on Linux and macOS only"
        raise ExecutableUnusable(plan.name, why, "run it beside Hector, and name its `address`", final=True)
    await asyncio.to_thread(executable.check, plan)
    if premises.vouch is not None:
        await asyncio.to_thread(premises.vouch, plan)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with scratch_folder() as scratch:
        token = secrets.token_hex(TOKEN_BYTES)
        reached = _linked(host_target, scratch)
        env = environment(
            plan,
            scratch,
            token,
            log_level=premises.log_level,
            telemetry=premises.telemetry,
            host_target=reached,
        )
        facts = {"plugin": plan.name, "kind": _kind(plan)}
        printed = Printed(facts, {*plan.secrets, token}, journal, generation=generation)
        first = FirstLine(printed.stdout)
        async with sandbox.confine(plan, scratch) as confined:
            child = _started(plan, confined, env, first, printed)
            process = Spawned(plan, generation, child, printed, (("hector-token", token),))
            process.host_target = reached
            with ExitStack() as guarded:
                try:
                    _watch(process, guarded, scratch, premises)
                    await _ready(process, confined, first, begun + plan.limits.start_timeout_s)
                    await asyncio.to_thread(executable.check_pin, plan)  # an interpreter opens by name
                    process.ready_s = loop.time() - begun
                    yield process
                finally:
                    await process.end()
                    await orphans.end_escaped(scratch)


def _started(
    plan: PluginPlan, confined: Confined, env: dict[str, str], first: FirstLine, printed: Printed
) -> Child:
    try:
        return Child(
            confined.argv,
            folder=plan.folder,
            env=confined.environment(env),
            stdout=first.feed,
            stderr=printed.stderr,
        )
    except OSError as error:
        why, fix = executable.not_run(Path(plan.command[0]), error)
        raise ExecutableUnusable(plan.name, why, fix, final=executable.is_final(error)) from error


def _watch(process: Spawned, guarded: ExitStack, scratch: Path, premises: Premises) -> None:
    plan = process.plan
    try:
        guarded.enter_context(orphans.watched(process.child.pid, plan.name, scratch, premises.state_dir))
    except OSError as error:
        why = f"what sees that it does not outlive Hector could not be started: {error.strerror or error}"
        fix = "see to the limits of processes and descriptors (ulimit -u, ulimit -n)"
        raise PluginStartFailed(plan.name, why, fix) from error


async def _ready(process: Spawned, confined: Confined, first: FirstLine, until: float) -> None:
    """See that a process is confined, find out where it listens, connect, and wait until it serves."""
    plan, printed = process.plan, process.printed
    try:
        await process.confine(confined)
        found = await find(plan, process.child, first, confined.reach, until)
        await _connect(process, found, until)
        process.read_stdio()
    except PluginStartFailed as error:
        raise error.having_printed(await process.last_words()) from error.__cause__
    except OSError as error:
        why, fix = executable.not_run(Path(plan.command[0]), error)
        tail, final = await process.last_words(), executable.is_final(error)
        raise ExecutableUnusable(plan.name, why, fix, tail, final=final) from error
    except NoHandshake as error:
        why, tail = printed.hidden(error.why), await process.last_words()
        raise PluginStartFailed(plan.name, why, error.fix, tail, final=error.final) from error


async def _connect(process: Spawned, found: Found, until: float) -> None:
    plan = process.plan
    channel = open_channel(found.target, plan)
    process.connected(channel, found.target)
    left = until - asyncio.get_running_loop().time()
    serving = asyncio.ensure_future(until_serving(channel, process.metadata, max(0.1, left)))
    try:
        await asyncio.wait((serving, process.child.ended), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            raise await _gone(process)
        process.serves_health = await serving
    except NotServing:
        why = f"it still says NOT_SERVING after {plan.limits.start_timeout_s:g} s"
        fix = "see what it waits for, or give it longer with limits.start_timeout"
        raise PluginStartFailed(plan.name, why, fix) from None
    except Unanswered as error:
        why = f"nothing answers at {found.target}, {found.said}"
        why += f" ({quoted(str(error))})" if str(error) else ""
        raise PluginStartFailed(plan.name, why, "say the line only when it listens there") from None
    except grpc.aio.AioRpcError as error:
        if process.child.ended.done() or await process.child.wait(EXIT_S):
            raise await _gone(process) from error
        told = quoted(process.printed.hidden(error.details() or ""))
        why = f"asked for its health, it answers {error.code().name}: {told}"
        raise PluginStartFailed(plan.name, why, "let it serve grpc.health.v1, or nothing of it") from error
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def _gone(process: Spawned) -> PluginStartFailed:
    """Return how a process ended that should have become ready."""
    exit_info: ExitInfo = await asyncio.shield(process.exited)
    return PluginStartFailed(process.plan.name, f"it {exit_info} before it served", final=exit_info.final)


def _linked(host_target: str, scratch: Path) -> str:
    """Put the host's socket into the plugin's folder, the only place that every sandbox leaves it."""
    if not host_target.startswith("unix:"):
        return host_target
    socket = Path("/" + host_target.removeprefix("unix:").lstrip("/"))
    link = scratch / HOST_SOCKET
    try:
        os.link(socket, link)
    except OSError:  # another file system
        with suppress(OSError):
            link.symlink_to(socket)
    return f"unix:{link}" if link.exists() else host_target


def _kind(plan: PluginPlan) -> str:
    names = [PluginKind.Name(kind).removeprefix("PLUGIN_KIND_").lower() for kind in plan.kinds]
    return ",".join(names)
