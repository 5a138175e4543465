"""What can be wrong with a handler."""

from grpc import StatusCode

from hector_mesh import HectorError


class HandlerNotUsable(HectorError):
    """An agent's handler cannot be loaded, or is nothing that can answer. The message says what to do."""

    code, reason = StatusCode.FAILED_PRECONDITION, "HANDLER_NOT_USABLE"
