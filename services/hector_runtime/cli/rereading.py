"""SIGHUP: the config is read again and checked; it takes effect with the next start."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hector_config import ConfigInvalid, Loaded
from hector_mesh import HectorError
from hector_runtime.config import Config, load_config
from hector_runtime.revision import sealed_config

log = logging.getLogger(__name__)


@asynccontextmanager
async def reread_on_hangup(loaded: Loaded[Config], running_id: str) -> AsyncIterator[None]:
    """Until the block ends, answer each SIGHUP with what a restart would bring; nothing changes by it.

    Without this the signal would end the process, and with it the answers that are being given.
    """
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if hangup is None:  # Windows has none
        yield
        return
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def told() -> None:
        task = loop.create_task(_reread(loaded, running_id))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(hangup, told)
    try:
        yield
    finally:
        loop.remove_signal_handler(hangup)
        for task in tasks:
            task.cancel()


async def _reread(loaded: Loaded[Config], running_id: str) -> None:
    if not loaded.is_file:
        log.warning("nothing to read again, this server runs without a config file")
        return
    await asyncio.to_thread(check_again, Path(loaded.file), running_id)


def check_again(file: Path, running_id: str) -> None:
    """Read and check a config file, and say what came of it."""
    try:
        found = load_config(file)
        revision = sealed_config(found).id
    except ConfigInvalid as error:
        for problem in error.problems:
            log.error("config refused, nothing was changed", extra={"problem": str(problem)})
        return
    except HectorError as error:
        log.error("config refused, nothing was changed", extra={"problem": str(error)})
        return
    for warning in found.warnings:
        log.info("config uses an old spelling", extra={"warning": str(warning)})
    if revision == running_id:
        log.info(
            "config read again, it has not changed", extra={"file": str(file), "revision": revision[:12]}
        )
    else:
        log.info(
            "config read again, it is good and takes effect with the next start",
            extra={"file": str(file), "revision": revision[:12], "running": running_id[:12]},
        )
