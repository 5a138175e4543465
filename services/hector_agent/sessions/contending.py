"""What becomes of a turn at work when another message comes in, where its agent says `interrupt`."""

import logging
from collections.abc import Awaitable, Callable

from hector_agent.run import Run
from hector_mesh import Call, HectorError
from hector_store import RunLog

log = logging.getLogger(__name__)

Cancel = Callable[[Call, str, str], Awaitable[object]]
"""Cancels a run of the caller's, wherever it is at work, and says why; returns when it is over."""
_OVER = ("RUN_OVER", "RUN_NOT_FOUND")


async def interrupt(runs: RunLog, cancel: Cancel, run: Run, call: Call) -> None:
    """Cancel the turns of a session before this one, which waits for them; each is told by which message."""
    place = run.place
    for other in await runs.at_work(place.app, place.owner, place.context, place.position):
        try:
            await cancel(call, other, f"a later message of its session came in: task {place.run}")
        except HectorError as error:  # then this one waits until the other is over
            if error.reason not in _OVER:
                facts = {"run": other, "by": place.run, "reason": error.reason}
                log.warning("turn was not interrupted", extra=facts)
