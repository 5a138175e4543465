"""Serves a plugin's servicers until its host has enough of them."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from hector_mesh import Health, Server, wire_server

from ._launch import Launch, NotStartedByHector, line_for

PLUGIN = "plugin"
"""The name under which go-plugin's hosts ask for a plugin's health."""


def serve(*servicers: object) -> None:
    """Serve until the host asks to end; what is printed meanwhile goes to standard error, the host's log.

    Args:
        servicers: Instances of generated servicer classes, with `async` methods.

    Raises:
        NotStartedByHector: The program was started by hand; a sentence on standard error says so.
        TypeError: A servicer extends no contract's.
    """
    try:
        launch = Launch.from_environment()
    except NotStartedByHector as wrong:
        sys.stderr.write(wrong.sentence + "\n")
        raise
    adders = [adder_of(servicer) for servicer in servicers]
    asyncio.run(_serve(launch, adders, _take_stdout()))


def adder_of(servicer: object) -> Callable[[Server], None]:
    """Return what adds a servicer to a server.

    Raises:
        TypeError: It is an instance of no generated servicer class.
    """
    for ancestor in type(servicer).__mro__:
        module = sys.modules[ancestor.__module__]
        add = getattr(module, f"add_{ancestor.__name__}_to_server", None)
        if module.__name__.endswith("_pb2_grpc") and add is not None:
            return lambda server: add(servicer, server)
    raise TypeError(f"{type(servicer).__name__} extends no servicer class of a contract")


async def _serve(launch: Launch, adders: list[Callable[[Server], None]], stdout: TextIO) -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C is for the host, which then ends us
    if launch.watch_stdin:
        threading.Thread(target=_watch_stdin, args=(loop, end), daemon=True).start()
    health = Health()
    server = wire_server(launch.listen, health=health, drain_s=launch.drain_s)
    for add in adders:
        add(server)
    for service in (*server.services, PLUGIN):
        await health.set(service, True)
    async with server:
        stdout.write(line_for(server.address))
        stdout.flush()
        await end.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, end: asyncio.Event) -> None:
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(end.set)


def _take_stdout() -> TextIO:
    """Keep standard output for the handshake: a stray print must not be taken for it."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w")
