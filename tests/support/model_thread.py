"""A scripted model server in a thread of its own, for tests that share one server over many processes."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from support.scripted_server import Reply, ScriptedServer, scripted

START_S = 10


@contextmanager
def model_in_a_thread(reply: Reply) -> Iterator[ScriptedServer]:
    """Run a scripted server until the block ends. Its events belong to its thread: do not wait for them."""
    started, found = threading.Event(), []

    async def serve() -> None:
        async with scripted(reply) as server:
            stop = asyncio.Event()
            found.extend([server, asyncio.get_running_loop(), stop])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="model")
    thread.start()
    assert started.wait(START_S)
    server, loop, stop = found
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(START_S)
