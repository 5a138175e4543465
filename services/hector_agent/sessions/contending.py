"""What becomes of other turns when a message comes to a session: as its agent's `concurrent_turns` says."""

import logging
from typing import TYPE_CHECKING

from hector.agent.v1 import RUN_STATE_CANCELED, CancelRun, Signal, SignalReceived, StatusChanged
from hector_agent.agent import Agent
from hector_agent.run import Run
from hector_mesh import Call, HectorError
from hector_store import RunLog, RunRow

from .errors import TurnInProgress

if TYPE_CHECKING:
    from hector_agent.runs import Runs

log = logging.getLogger(__name__)

LAST = 2**62
"""Behind every position."""


async def check_idle(runs: RunLog, agent: Agent, row: RunRow) -> None:
    """Let a message to a task that waits pass, unless a turn is at work and its agent takes one at a time.

    Raises:
        TurnInProgress: That is so.
    """
    if agent.config.concurrent_turns == "reject":
        for other in await runs.at_work(row.app, row.owner, row.context_id, LAST):
            raise TurnInProgress(row.context_id, agent.name, other)


async def interrupt(runs: "Runs", run: Run, call: Call, *, is_new: bool) -> None:
    """Cancel the turns of a session that this one waits for, wherever they are at work.

    Each is told by which message; this one goes on when they are over.
    """
    place = run.place
    before = place.position if is_new else LAST
    try:
        others = await runs.log.at_work(place.app, place.owner, place.context, before)
    except HectorError as error:  # then this one waits until they are over by themselves
        log.info("turns were not interrupted", extra={"by": place.run, "reason": error.reason})
        return
    for other in others:
        if other == place.run:
            continue
        wish = CancelRun(reason=f"another message came to its session: task {place.run}")
        asked = SignalReceived(signal=Signal(cancel=wish), principal=call.principal.id)
        live = runs.live(place.app, place.owner, other)
        if live is not None:
            runs.halt(live, StatusChanged(state=RUN_STATE_CANCELED), [asked])
            continue
        try:
            await runs.log.signal(place.app, other, "cancel", asked.SerializeToString())
        except HectorError as error:  # then this one waits until the other is over by itself
            facts = {"run": other, "by": place.run, "reason": error.reason}
            log.info("turn was not interrupted", extra=facts)
