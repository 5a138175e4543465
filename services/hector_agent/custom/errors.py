"""What can be wrong with a handler, and with what it says."""

from grpc import StatusCode

import hector_a2a as a2a
from hector_mesh import HectorError


class HandlerNotUsable(HectorError):
    """An agent's handler cannot be loaded, or is nothing that can answer. The message says what to do."""

    code, reason = StatusCode.FAILED_PRECONDITION, "HANDLER_NOT_USABLE"


class HandlerFailed(HectorError):
    """A handler raised an error. Which one is in the server's log, and for nobody else."""

    code, reason = StatusCode.INTERNAL, "AGENT_FAILED"

    def __init__(self, agent: str, run: str) -> None:
        super().__init__(
            f"the code of agent {agent!r} failed; the server's log says how, under run {run}", run=run
        )


class HandlerSaidNonsense(a2a.InvalidAgentResponse):
    """A handler answered with what A2A does not allow. What that was is in the server's log."""

    def __init__(self, agent: str, run: str) -> None:
        super().__init__(
            f"agent {agent!r} answered with something that A2A does not allow; "
            f"the server's log says what, under run {run}",
            taskId=run,
        )


class HandlerSaysTooMuch(HectorError):
    """A handler said more than the agent may; what it had said before is kept."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "ANSWER_TOO_LONG"

    def __init__(self, agent: str, limit_bytes: int) -> None:
        super().__init__(
            f"the answer grew beyond {limit_bytes} bytes and was stopped; ask for less, "
            f"or raise agents.{agent}.max_answer_size",
            limit=limit_bytes,
        )
