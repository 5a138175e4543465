"""Workers of this machine that are dead: who can see that lets go of their leases, and nobody waits for them.

A lease has to end by itself where nobody can tell whether its process lives. Here the kernel can: what is
started again after `kill -9` goes on with its runs at once.
"""

import asyncio
import hashlib
import logging
import os
from functools import cache
from pathlib import Path

from hector_mesh import HectorError
from hector_store import Workers

log = logging.getLogger(__name__)

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")


@cache
def kernel() -> str:
    """Return what tells this kernel, and its numbers of processes, from all others; "" where nothing does."""
    try:
        known = f"{_BOOT.read_text(encoding='ascii').strip()} {_PIDS.readlink()}"
    except OSError:
        return ""
    return hashlib.sha256(known.encode()).hexdigest()[:8]


def is_dead(worker: str, pid: int) -> bool:
    """Say whether a worker was a process of this kernel, and is none any more."""
    if not kernel() or not worker.endswith(f"-{kernel()}") or pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False  # or another process has its number: then its lease ends by itself


async def look_for_dead(workers: Workers, every_s: float) -> None:
    """Let go of what dead workers of this machine had, until cancelled. Renewals do not wait for it."""
    while True:
        try:
            await release_dead(workers)
        except HectorError as error:
            log.info("dead workers were not looked for", extra={"reason": error.reason})
        except Exception:
            # A border: a bug must not end this loop.
            log.exception("looking for dead workers met a bug")
        await asyncio.sleep(every_s)


async def release_dead(workers: Workers) -> None:
    """Let go of what dead workers of this machine had.

    Raises:
        HectorError: The database cannot be asked.
    """
    for row in await workers.alive():
        if is_dead(row.id, row.pid):
            freed = await workers.release(row.id)
            log.warning("dead worker was released", extra={"worker": row.id, "pid": row.pid, "runs": freed})
