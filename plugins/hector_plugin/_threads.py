"""Threads for a plugin's functions that are not `async`."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

MOST = 64
"""As many calls as a host makes at once before it waits."""

_threads: ThreadPoolExecutor | None = None


async def in_thread(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function that may block, in the context of the call being served."""
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(MOST, thread_name_prefix="plugin")
    work = partial(contextvars.copy_context().run, function, *arguments, **named)
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


def busy() -> bool:
    """Forget the threads, and tell whether one of them still runs: it cannot be interrupted."""
    global _threads
    if _threads is None:
        return False
    threads, _threads = _threads, None
    threads.shutdown(wait=False, cancel_futures=True)
    for thread in threads._threads:
        thread.join(0.1)  # one that is idle ends at once
        if thread.is_alive():
            return True
    return False
