"""A google.rpc.Status and what is in it: what a call that failed carries beside its code.

The messages have names of our own, as wire.proto says, so protobuf's Any neither packs nor unpacks them.
"""

from google.protobuf.any_pb2 import Any as AnyMessage

from .wire_pb2 import ErrorInfo, RetryInfo, Status

__all__ = ["STATUS_DETAILS", "ErrorInfo", "Status", "info_in", "packed", "retry_after_s", "retry_hint_in"]

STATUS_DETAILS = "grpc-status-details-bin"
"""The trailer in which every gRPC library looks for a google.rpc.Status."""

_TYPES = "type.googleapis.com"
_ERROR_INFO = "/google.rpc.ErrorInfo"
_RETRY_INFO = "/google.rpc.RetryInfo"


def packed(part: ErrorInfo | RetryInfo) -> AnyMessage:
    """Return a part of a status as it stands among its details."""
    name = _ERROR_INFO if isinstance(part, ErrorInfo) else _RETRY_INFO
    return AnyMessage(type_url=_TYPES + name, value=part.SerializeToString())


def info_in(status: Status) -> ErrorInfo:
    """Return why a call failed; empty when the other side did not say."""
    for detail in status.details:
        if detail.type_url.endswith(_ERROR_INFO):
            return ErrorInfo.FromString(detail.value)
    return ErrorInfo()


def retry_hint_in(status: Status) -> AnyMessage | None:
    """Return the part that says when it makes sense to try again, if there is one."""
    return next((detail for detail in status.details if detail.type_url.endswith(_RETRY_INFO)), None)


def retry_after_s(status: Status) -> float:
    """Return when it makes sense to try a failed call again; 0: nobody says."""
    hint = retry_hint_in(status)
    return RetryInfo.FromString(hint.value).retry_delay.ToNanoseconds() / 1e9 if hint else 0.0
