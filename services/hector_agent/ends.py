"""Why runs ended that did not finish, as the log keeps it and users read it."""

import logging

import grpc

from hector.agent.v1 import RunError
from hector_mesh import HectorError

from .agent import Agent
from .failure import error_of
from .run import Place

logger = logging.getLogger(__name__)

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
