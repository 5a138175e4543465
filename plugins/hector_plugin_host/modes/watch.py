"""A plugin that puts its socket into a folder: it is there while its socket is."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.start_failed import AddressRefused, PluginStartFailed

from .attach import Attached, attached

EVERY_S = 0.5
"""How often is looked for it."""


class Socket(NamedTuple):
    """A socket; one that was replaced is another one."""

    path: Path
    inode: int
    made_ns: int


@asynccontextmanager
async def watched(plan: PluginPlan, generation: int) -> AsyncIterator[Attached]:
    """Give the plugin behind the newest socket of a folder; it has exited when that socket is gone.

    Raises:
        AddressRefused: Others could put a socket there.
        PluginStartFailed: None appeared, or nobody serves behind it.
    """
    folder = Path(plan.address)
    socket = await _appeared(plan, folder)
    there = replace(plan, address=f"unix:{socket.path}", mode="attach")
    async with attached(there, generation) as process:
        watching = asyncio.get_running_loop().create_task(
            _until_gone(process, folder, socket), name=f"plugin-{plan.name}-socket"
        )
        try:
            yield process
        finally:
            watching.cancel()
            await asyncio.wait((watching,))


async def _appeared(plan: PluginPlan, folder: Path) -> Socket:
    loop = asyncio.get_running_loop()
    until = loop.time() + plan.limits.start_timeout_s
    while True:
        _check(plan, folder)
        found = sockets(folder)
        if found:
            return found[-1]
        if loop.time() >= until:
            why = f"no socket appeared in {folder} within {plan.limits.start_timeout_s:g} s"
            raise PluginStartFailed(
                plan.name, why, "start the plugin with --standalone unix:FOLDER/NAME.sock"
            )
        await asyncio.sleep(EVERY_S)


async def _until_gone(process: Attached, folder: Path, socket: Socket) -> None:
    while socket in sockets(folder):  # noqa: ASYNC110  # a file system has no events for us to wait for
        await asyncio.sleep(EVERY_S)
    process.gone("socket_removed", wanted=False)


def sockets(folder: Path) -> list[Socket]:
    """Return the sockets in a folder that its owner or we have made, oldest first."""
    found = []
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return []
    for entry in entries:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISSOCK(status.st_mode) and not entry.name.startswith("."):
            found.append(Socket(Path(entry.path), status.st_ino, status.st_ctime_ns))
    return sorted(found, key=lambda socket: socket.made_ns)


def _check(plan: PluginPlan, folder: Path) -> None:
    try:
        status = folder.stat()
    except OSError:
        return  # it may appear as well
    if status.st_uid not in (os.getuid(), 0) or status.st_mode & stat.S_IWOTH:
        why = f"others than this user may write to {folder}, and put a plugin of theirs there"
        raise AddressRefused(
            plan.name, why, f"chmod o-w {folder}, and let it belong to this user", final=True
        )
