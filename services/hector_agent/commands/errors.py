"""Why a command is refused."""

from grpc import StatusCode

from hector_mesh import HectorError


class NothingToPause(HectorError):
    """The run waits for somebody, and holds nothing in any case."""

    code, reason = StatusCode.FAILED_PRECONDITION, "NOTHING_TO_PAUSE"

    def __init__(self, run: str, state: str) -> None:
        super().__init__(
            f"task {run!r} is {state} and holds nothing: it goes on when somebody answers, or is cancelled",
            run=run,
            state=state,
        )


class NotHeld(HectorError):
    """The run waits, but not to be resumed."""

    code, reason = StatusCode.FAILED_PRECONDITION, "RUN_NOT_HELD"

    def __init__(self, run: str, state: str) -> None:
        super().__init__(
            f"task {run!r} is {state}: it is not to be resumed, but answered with a message",
            run=run,
            state=state,
        )


class NothingToRetry(HectorError):
    """The run has not failed."""

    code, reason = StatusCode.FAILED_PRECONDITION, "NOTHING_TO_RETRY"

    def __init__(self, run: str, state: str) -> None:
        super().__init__(
            f"task {run!r} is {state}; what can be tried again has failed, or was cancelled",
            run=run,
            state=state,
        )


class NoDeadLetter(HectorError):
    """There is no such dead letter."""

    code, reason = StatusCode.NOT_FOUND, "DEAD_LETTER_NOT_FOUND"

    def __init__(self, run: str) -> None:
        super().__init__(f"no dead letter of task {run!r}; `hector task dead` lists those there are", run=run)


class OnlyForOperators(HectorError):
    """The caller is nobody who looks after the server."""

    code, reason = StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs the role operator or admin", role="operator")


class NotTakenYet(HectorError):
    """A command is written down, and whoever works on the run has not acted on it yet."""

    code, reason = StatusCode.UNAVAILABLE, "COMMAND_NOT_TAKEN_YET"
    retry_after_s = 5.0

    def __init__(self, run: str, command: str) -> None:
        super().__init__(
            f"{command} of task {run!r} is written down, and nobody has acted on it yet: its server does not "
            "answer, or no server that is there serves its agent. It is done as soon as one does; "
            "asking again does no harm",
            run=run,
            command=command,
        )
