"""Why a run failed, from whatever error it met."""

import logging

import grpc

from hector.agent.v1 import RunError
from hector_mesh import HectorError, info_of, status_of

log = logging.getLogger(__name__)


def error_of(error: HectorError | grpc.aio.AioRpcError) -> RunError:
    """Return an error as the log keeps it: reason, facts and a sentence for people."""
    status, info = status_of(error), info_of(error)
    reason, message = info.reason, status.message
    if reason == "ROLE_UNAVAILABLE":  # its name helps; its address, which the log has, is nobody's business
        role = info.metadata["role"]
        message = f"role {role} of this server cannot be reached at the moment; ask again when it is back"
    facts = dict(info.metadata)
    if reason.startswith("STORAGE_") and facts.pop("database", ""):  # likewise
        log.warning("run met a database that failed", extra={"reason": reason, "error": message})
        message = "the database failed, as the server's log says; ask again when it is well"
    if not reason and isinstance(error, grpc.aio.AioRpcError):
        reason = error.code().name
    return RunError(reason=reason, message=message, code=status.code, metadata=facts)
