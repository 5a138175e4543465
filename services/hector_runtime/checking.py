"""Looks every few seconds how that is on which rooms stand: the database, the sources of documents."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from grpc.aio import AioRpcError

from hector_mesh import Health, HectorError, Room

EVERY_S = 2.0
PATIENCE_S = 5.0
"""How long an answer may take before it counts as trouble."""

log = logging.getLogger(__name__)


async def keep_checking(rooms: Mapping[str, Room], health: Health, *, every_s: float = EVERY_S) -> None:
    """Ask all checks of all rooms, again and again, and tell `health` what they say."""
    checks = {(role, part): check for role, room in rooms.items() for part, check in room.checks.items()}
    was_well = dict.fromkeys(checks, True)
    while checks:
        for (role, part), check in checks.items():
            well = await _asked(check)
            await health.note(part, well=well)
            if well != was_well[role, part]:
                was_well[role, part] = well
                facts = {"role": role, "part": part}
                if well:
                    log.info("check passed again", extra=facts)
                else:
                    log.warning("check failed", extra=facts)
        await asyncio.sleep(every_s)


async def _asked(check: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await check()
    except Exception as error:  # the border: how that is on which a room stands must not end the process
        if not isinstance(error, HectorError | AioRpcError | OSError):
            log.debug("check raised an unexpected error", exc_info=error)
        return False
