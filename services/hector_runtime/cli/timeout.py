"""What a call is told whose time is over."""

from grpc import StatusCode

from hector_mesh import HectorError


class AnswerTimedOut(HectorError):
    """--timeout was over before the answer was whole."""

    code, reason = StatusCode.DEADLINE_EXCEEDED, "ANSWER_TIMED_OUT"

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"no whole answer within {limit_s:g} s; the task was cancelled: raise --timeout, or leave it out",
            timeout_s=limit_s,
        )
