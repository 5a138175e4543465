"""Why a run failed, from whatever error it met."""

import grpc

from hector.agent.v1 import RunError
from hector_mesh import HectorError, info_of, status_of


def error_of(error: HectorError | grpc.aio.AioRpcError) -> RunError:
    """Return an error as the log keeps it: reason, facts and a sentence for people."""
    status, info = status_of(error), info_of(error)
    reason, message = info.reason, status.message
    if reason == "ROLE_UNAVAILABLE":  # its name helps; its address, which the log has, is nobody's business
        role = info.metadata["role"]
        message = f"role {role} of this server cannot be reached at the moment; ask again when it is back"
    if not reason and isinstance(error, grpc.aio.AioRpcError):
        reason = error.code().name
    return RunError(reason=reason, message=message, code=status.code, metadata=dict(info.metadata))
