"""Programs that a handler runs: they end with the turn, and so does everything that they started."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path


@asynccontextmanager
async def program(*command: str | Path, **options: object) -> AsyncIterator[Process]:
    """Run something else while the block lasts: for `async with`.

    It has a session of its own. On the way out, and so at once when the task is cancelled, all of that is
    killed: the program, if it has not ended, and whatever it has left behind.

    Args:
        command: The program and its arguments; no shell has a hand in it.
        options: As of asyncio.create_subprocess_exec. Output goes into a pipe, input is empty.

    Raises:
        OSError: It cannot be started.
    """
    streams = {"stdin": DEVNULL, "stdout": PIPE, **options}
    running = await asyncio.create_subprocess_exec(*command, **streams, start_new_session=True)  # type: ignore[arg-type]  # as the docstring says
    try:
        yield running
    finally:
        with suppress(ProcessLookupError, PermissionError):  # nothing of it is left
            os.killpg(running.pid, signal.SIGKILL)
        await running.wait()
