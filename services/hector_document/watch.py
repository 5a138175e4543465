"""Tells when a folder has changed; by the kernel's word where it gives one, by looking where it does not."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from hector_document.directory import Directory

log = logging.getLogger(__name__)

DEBOUNCE_MS = 400
"""Longest that a change waits for more to come with it."""
_STEP_MS = 50
_CHECK_MS = 1_000
_CHECKS_PER_LOOK = 60
POLL_S = 1.0
_POLLS = 60


async def changes(directory: Directory) -> AsyncGenerator[None, None]:
    """Yield whenever the source may have changed, and about once a minute to be safe.

    Some file systems report nothing of what others do to them; the safe side costs one look at all names.
    """
    told = ""
    while True:
        try:
            async with aclosing(_reported(directory)) as reported:
                async for _ in reported:
                    yield
        except (OSError, RuntimeError, ExceptionGroup) as error:
            # A group is what the watcher's own thread met, as a file name that is no UTF-8.
            cause = _first_of(error)
            if str(cause) != told:
                told = str(cause)
                facts = {"path": str(directory.path), "error": told, "every_s": POLL_S}
                log.warning("folder could not be watched and is looked at instead", extra=facts)
            for _ in range(_POLLS):
                await asyncio.sleep(POLL_S)
                yield
                if isinstance(cause, FileNotFoundError) and directory.path.exists():
                    break


async def _reported(directory: Directory) -> AsyncGenerator[None, None]:
    """Yield at each change until the folder is another one; a removed folder never reports again."""
    from watchfiles import awatch

    folder = directory.path.resolve(strict=True)
    watched, checks = _identity(folder), 0
    found = awatch(
        folder,
        watch_filter=lambda change, path: directory.concerns(path),
        debounce=DEBOUNCE_MS,
        step=_STEP_MS,
        rust_timeout=_CHECK_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    async for batch in found:
        # The first time for what happened before the kernel was listening.
        is_due, checks = checks % _CHECKS_PER_LOOK == 0, checks + 1
        is_another = _identity(directory.path.resolve()) != watched
        if batch or is_another or is_due:
            yield
        if is_another:
            return


def _first_of(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
