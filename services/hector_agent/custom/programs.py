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
        if running.returncode is None or not _is_taken(running.pid):
            with suppress(ProcessLookupError, PermissionError):  # nothing of it is left
                os.killpg(running.pid, signal.SIGKILL)
        await running.wait()


def _is_taken(pid: int) -> bool:
    """Say whether the number of a program that has ended is another's by now, and so is that group.

    As long as anything of its own group is left, no process can get the number.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
