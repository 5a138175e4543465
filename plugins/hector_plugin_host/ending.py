"""The ladder by which a plugin ends: asked, its input closed, asked by the system, killed."""

import asyncio
import logging
import math
from collections.abc import Sequence

import grpc
import grpc.aio
from grpc import StatusCode

from hector.plugin.v1 import PluginStub, ShutdownRequest

from .child import Child

log = logging.getLogger(__name__)

ASKED_S = 2.0
STDIN_S = 1.0
TERM_S = 2.0
KILLED_S = 5.0
"""How long each rung takes at most."""
RPC_S = 2.0
"""How long the answer to a request to end may take; what counts is that it ends."""

GO_PLUGIN = "/plugin.GRPCController/Shutdown"

Metadata = Sequence[tuple[str, str]]


async def end(
    child: Child, channel: grpc.aio.Channel | None, metadata: Metadata, grace_s: float = ASKED_S
) -> str:
    """End a process whose calls have been drained, and return which rung it took.

    Args:
        child: The process.
        channel: How it is asked; None where it never got so far.
        metadata: What every call to it carries.
        grace_s: How long it may take once it was asked.
    """
    if child.ended.done():
        return "ended by itself"
    if channel is not None and await _asked(channel, metadata, grace_s) and await child.wait(grace_s):
        return "asked"
    child.close_stdin()
    if await child.wait(STDIN_S):
        return "stdin"
    child.terminate()
    if await child.wait(TERM_S):
        return "SIGTERM"
    child.kill()
    if not await child.wait(KILLED_S):  # in the hands of the kernel: a network file system, say
        log.error("plugin survived being killed", extra={"pid": child.pid})
    return "SIGKILL"


async def _asked(channel: grpc.aio.Channel, metadata: Metadata, grace_s: float) -> bool:
    """Ask a plugin to end. It may end before it answers, so what it answers decides little."""
    request = ShutdownRequest(grace_s=math.ceil(grace_s))
    try:
        await PluginStub(channel).Shutdown(request, timeout=RPC_S, metadata=tuple(metadata))
    except grpc.aio.AioRpcError as error:
        if error.code() is not StatusCode.UNIMPLEMENTED:
            return error.code() is StatusCode.UNAVAILABLE
    else:
        return True
    shutdown = channel.unary_unary(GO_PLUGIN, bytes, bytes)
    try:
        await shutdown(b"", timeout=RPC_S, metadata=tuple(metadata))
    except grpc.aio.AioRpcError as error:
        return error.code() is not StatusCode.UNIMPLEMENTED
    except asyncio.InvalidStateError:  # the channel was closed under it
        return False
    return True
