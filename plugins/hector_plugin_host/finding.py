"""Finds out where a process that was started listens: by its line, or where it gives none, by looking.

A plugin that was written for a fixed port, as Hector's guide shows them, prints no handshake line. So if
none comes for a while, the port on which the process listens is taken, if something there speaks gRPC.
"""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc.aio
from grpc import StatusCode

from hector_mesh.health_contract import HealthCheckRequest, HealthStub

from . import handshake, ports
from .child import Child
from .connecting import PLUGIN, open_channel
from .first_line import FirstLine
from .handshake import Handshake, NoHandshake
from .plan import PluginPlan
from .process import ExitInfo
from .start_failed import PluginStartFailed

LINE_S = 2.0
"""How long a line may take before it is looked for a port. It may still come later, and then counts."""
LAST_LINE_S = 0.5
"""How long the line of a process that ended may take to be read."""
EVERY_S = 0.2
PROBE_S = 1.0
_SPEAKS = (StatusCode.OK, StatusCode.UNIMPLEMENTED, StatusCode.NOT_FOUND, StatusCode.UNAUTHENTICATED)


Reach = Callable[[str], Awaitable[str]]


class Found(NamedTuple):
    """Where a plugin is, and how we know."""

    target: str
    said: str


async def find(plan: PluginPlan, child: Child, first: FirstLine, reach: Reach, until: float) -> Found:
    """Return where a process listens.

    Args:
        plan: The plugin.
        child: Its process.
        first: Its first line.
        reach: Says where the host reaches what the process listens on, which may have a network of its own.
        until: When the loop's clock ends the search.

    Raises:
        NoHandshake: Its first line is none, and it listens nowhere.
        PluginStartFailed: It ended, or the time did.
    """
    loop = asyncio.get_running_loop()
    look_from = loop.time() + (0 if plan.mode == "listen" else LINE_S)
    stray: NoHandshake | None = None
    while True:
        if stray is None and first.line.done():
            try:
                return await _by_line(handshake.read(first.line.result()), reach)
            except NoHandshake as error:
                if not error.stray:
                    raise
                stray = error
        if child.ended.done():
            if stray is None and not first.line.done():
                await asyncio.wait((first.line,), timeout=LAST_LINE_S)  # printed, and not read yet
                if first.line.done():
                    continue
            raise stray or _ended(plan, child)
        now = loop.time()
        if now >= look_from or stray is not None:
            if target := await _by_looking(plan, child, reach):
                return Found(target, "where the process listens")
            if stray is not None and now >= look_from and plan.mode != "listen":
                raise stray
        if now >= until:
            raise stray or _silent(plan)
        pending: list[asyncio.Future[Any]] = [child.ended] if stray is not None else [child.ended, first.line]
        await asyncio.wait(pending, timeout=min(EVERY_S, until - now), return_when=asyncio.FIRST_COMPLETED)


async def _by_line(said: Handshake, reach: Reach) -> Found:
    if said.network == "unix":
        _check_socket(Path(said.address))
    return Found(await reach(said.target), "as its line says")


def _check_socket(path: Path) -> None:
    try:
        status = path.stat(follow_symlinks=False)
    except OSError:
        why = f"there is no socket at {path}, which its line names"
        raise NoHandshake(why, "listen before you say so, in the folder PLUGIN_UNIX_SOCKET_DIR") from None
    if not stat.S_ISSOCK(status.st_mode):
        raise NoHandshake(f"what is at {path}, which its line names, is no socket", "name the socket")
    if status.st_uid != os.getuid():  # only outside of its own folder, where nobody else gets in
        why = f"the socket at {path}, which its line names, is that of another user (uid {status.st_uid})"
        raise NoHandshake(why, "listen in the folder PLUGIN_UNIX_SOCKET_DIR", final=True)


async def _by_looking(plan: PluginPlan, child: Child, reach: Reach) -> str:
    """Return a port of the process that speaks gRPC; empty if there is none."""
    if plan.address:
        target = await reach(local(plan.address))
        return target if await speaks_grpc(target, plan) else ""
    for port in await asyncio.to_thread(_ports_of, child.pid, tuple(child.members())):
        target = await reach(f"127.0.0.1:{port}")
        if await speaks_grpc(target, plan):
            return target
    return ""


def _ports_of(group: int, members: Sequence[int]) -> list[int]:
    return ports.listening({*ports.members(group), *members})


def local(address: str) -> str:
    """Return an address that a server was told to listen on as one that can be connected to."""
    if address.startswith("unix:"):
        return address
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("", "0.0.0.0", "[::]", "*") else address


async def speaks_grpc(target: str, plan: PluginPlan) -> bool:
    """Say whether something at an address answers as gRPC servers do."""
    async with open_channel(target, plan) as channel:
        request = HealthCheckRequest(service=PLUGIN)
        try:
            await HealthStub(channel).Check(request, timeout=PROBE_S)
        except grpc.aio.AioRpcError as error:
            return error.code() in _SPEAKS
    return True


def _ended(plan: PluginPlan, child: Child) -> PluginStartFailed:
    code, number = child.ended.result()
    info = ExitInfo(code, number, "signal" if number is not None else "exited")
    fix = "see what it printed" if code else "a plugin serves until it is told to end"
    return PluginStartFailed(plan.name, f"it {info} before it said where it listens", fix, final=info.final)


def _silent(plan: PluginPlan) -> PluginStartFailed:
    limit = f"{plan.limits.start_timeout_s:g} s"
    if plan.address:
        why = f"nothing speaks gRPC at {plan.address} after {limit}"
        return PluginStartFailed(plan.name, why, "mend `address`, or see what it printed")
    why = f"it said within {limit} not where it listens, and listens on no port"
    fix = "let it print 1|1|unix|/path/of/socket|grpc| on standard output, or name its `address`"
    return PluginStartFailed(plan.name, why, fix)
