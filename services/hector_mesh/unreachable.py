"""Telling a role that is down from a role that says no."""

import grpc
from grpc import ChannelConnectivity, StatusCode
from grpc.aio import AioRpcError, Channel, Metadata

from .errors import HectorError, info_of, refusal
from .status import STATUS_DETAILS


class RoleUnavailable(HectorError):
    """Nobody answers at the role's address; the connection is tried again by itself within seconds."""

    code = StatusCode.UNAVAILABLE
    reason = "ROLE_UNAVAILABLE"
    retry_after_s = 2.0

    def __init__(self, role: str, target: str, why: str) -> None:
        what = f"role {role} is not reachable at {target}" if role else f"{target} is not reachable"
        super().__init__(f"{what}: {why}", role=role, target=target)


class StrangerToRole(HectorError):
    """The role is there, and does not take this process for one of its mesh."""

    code = StatusCode.UNAUTHENTICATED
    reason = "MESH_TOKEN_REQUIRED"

    def __init__(self, role: str, target: str) -> None:
        super().__init__(
            f"role {role} at {target} answers callers of its own mesh only; "
            "set the same mesh.token on both sides",
            role=role,
            target=target,
        )


def named(error: AioRpcError, channel: Channel, role: str, target: str) -> AioRpcError:
    """Return the failure of a call with the role's name in it, if it failed for want of a connection.

    What a servicer said itself is left alone: it comes with a google.rpc.Status.
    """
    if error.code() is StatusCode.UNAUTHENTICATED and info_of(error).reason == StrangerToRole.reason:
        return _as(StrangerToRole(role, target), error)
    trailers = error.trailing_metadata()
    if trailers is not None and any(key == STATUS_DETAILS for key, _ in trailers):
        return error
    if error.code() is StatusCode.UNAVAILABLE:
        why = (error.details() or "no connection").rpartition("last error: ")[2]
        why = why.removeprefix("UNKNOWN: ").removeprefix(f"{target}: ")
        why = why.replace("backend unhealthy", "it says that it is not ready")
    elif error.code() is StatusCode.DEADLINE_EXCEEDED and not _connected(channel):
        why = "no connection within the caller's deadline"
    else:
        return error
    return _as(RoleUnavailable(role, target, why), error)


def _as(found: HectorError, error: AioRpcError) -> AioRpcError:
    code, text, told = refusal(found)
    return AioRpcError(code, error.initial_metadata(), Metadata(*told), text, error.debug_error_string())


def _connected(channel: grpc.aio.Channel) -> bool:
    return channel.get_state() is ChannelConnectivity.READY
