"""Why runs ended that did not finish, as the log keeps it and users read it."""

import logging
from contextlib import suppress

import grpc

from hector.agent.v1 import RUN_STATE_FAILED, RunError, RunEvent, StatusChanged
from hector_mesh import HectorError
from hector_store import Dead

from .agent import Agent
from .errors import RunLost, RunReleased
from .failure import error_of
from .ledger import ended
from .measuring import buried
from .moment import IN_DOUBT, Also, Place
from .run import Run
from .work import Work

logger = logging.getLogger(__name__)

FENCED = frozenset({"RUN_FENCED", "RUN_NOT_FOUND"})
"""Why a write is refused of a run that somebody else has, or that was deleted."""
_PASSING = frozenset(
    {
        *("STORAGE_BUSY", "STORAGE_CLOSED", "STORAGE_CROWDED", "STORAGE_FULL", "STORAGE_GONE"),
        *("STORAGE_IN_DOUBT", "STORAGE_QUEUE_FULL", "STORAGE_READ_ONLY", "STORAGE_UNREACHABLE"),
    }
)
"""What is the matter with a database that will be well again: runs wait for that, and go on."""
INTERRUPTED = RunError(
    reason="INTERRUPTED",
    code=grpc.StatusCode.UNAVAILABLE.value[0],
    message="the server stopped while it worked on this; what it had written is kept: send the message again",
)


def why(error: BaseException, place: Place) -> RunError:
    """Return what stopped a run; of a bug the user is told only where the log has it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, HectorError | grpc.aio.AioRpcError):
        return error_of(error)
    # The border of the agent's own code: a bug must end the run, and must not reach the user.
    logger.error("run met a bug", exc_info=error, extra={"run": place.run, "agent": place.agent})
    return RunError(
        reason="INTERNAL",
        code=grpc.StatusCode.INTERNAL.value[0],
        message=f"something in Hector went wrong; the log has it under run {place.run}",
        metadata={"run": place.run},
    )


def too_long(agent: Agent) -> RunError:
    """Return what is said of a run that took longer than its agent allows."""
    limit = agent.config.timeout
    return RunError(
        reason="RUN_TIMED_OUT",
        code=grpc.StatusCode.DEADLINE_EXCEEDED.value[0],
        message=f"the run took longer than {limit:g} s; raise agents.{agent.name}.timeout, or ask for less",
        metadata={"timeout_s": f"{limit:g}"},
    )


async def concluded(work: Work, run: Run, error: BaseException | None) -> None:
    """Write how a run ended, unless its turn has: cancelled, halted or failed. What is let go of has no end.

    Args:
        work: What was done for it.
        run: The run.
        error: What its turn met.
    """
    await run.settled()  # what was on its way when the turn was stopped may have been the end
    if work.is_done(run):
        return
    work.is_fenced = is_fenced(error)
    if work.change is None and (work.is_let_go or work.is_fenced or goes_on(error)):
        work.failure = error if isinstance(error, HectorError) else None
        await _find_out(run, error)
        return
    change = work.change
    if change is None:
        change = ended(run.task, RUN_STATE_FAILED, INTERRUPTED if error is None else why(error, run.place))
    run.reason, run.about = change.error.reason, dict(change.error.metadata)
    # What failed is a task, so that its owner can look at it.
    is_task = None if run.is_task else True
    events = [*(RunEvent(signal_received=said) for said in work.asked), RunEvent(status_changed=change)]
    dead = _dead(run, change)
    also = Also(consume=work.consume, dead=dead) if work.consume or dead else None
    try:
        await run.commit(events, last=True, is_task=is_task, also=also)
    except HectorError as failure:
        # The log is out of reach, or somebody else's: whoever has it next goes on with the run.
        logger.error("end of run was not written", extra={"run": run.place.run, "reason": failure.reason})
        work.failure, work.is_fenced = failure, is_fenced(failure)
    else:
        if dead is not None:
            buried(run.place, dead)


def _dead(run: Run, change: StatusChanged) -> Dead | None:
    """Return why nobody tries a run again: where it failed as often as it may."""
    if change.state != RUN_STATE_FAILED or not run.tried:
        return None
    return Dead(run.place.agent, change.error.reason, change.error.message, run.tried)


async def _find_out(run: Run, error: BaseException | None) -> None:
    """Find out whether something was written, if nobody can tell: it may have been the end."""
    if isinstance(error, HectorError) and error.reason == IN_DOUBT:
        with suppress(HectorError):  # then whoever goes on with the run finds out
            await run.commit(())


def is_fenced(error: BaseException | None) -> bool:
    """Say whether a run is somebody else's by now, or nobody's any more."""
    return isinstance(error, HectorError) and error.reason in FENCED


def goes_on(error: BaseException | None) -> bool:
    """Say whether a run stops here without an end: it is to go on elsewhere, or when the database is back."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, HectorError):
        return False
    return error.reason in _PASSING or isinstance(error, RunReleased | RunLost)
