"""Puts a failed call of a plugin into words: which plugin, what happened, whose time was over."""

import re
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from hector_mesh.status import STATUS_DETAILS, Status

from .call_errors import PluginCrashed, PluginMessageTooLarge, PluginTimedOut, as_rpc_error
from .redacting import holds_secret, redacted

_LOST = (
    *("socket closed", "connection reset", "broken pipe", "failed to connect", "connection refused"),
    *("stream removed", "goaway", "recvmsg", "sendmsg", "transport", "no such file", "connection"),
    *("cancelling all calls", "shutdownnow"),
)
"""What gRPC's libraries say of a connection that is gone; a plugin's own words are others, mostly."""
_BUGS = (StatusCode.UNKNOWN, StatusCode.INTERNAL)
"""What nobody meant a caller to read, who has to hear at least whose bug it is."""
_TOO_LARGE = re.compile(r"CLIENT: (Received|Sent) message larger than max \((\d+) vs\. (\d+)\)").fullmatch
"""How gRPC refuses a message on our side; what the plugin's side refuses begins otherwise."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a call beside its status."""

    plugin: str
    method: str
    limit_s: float
    by_security: bool
    exit_: str
    """How its process ended; empty if it has not."""
    secrets: frozenset[str]
    is_attached: bool = False
    """Whether somebody else runs it, so that what it is shown stands in the configuration."""


def explained(error: AioRpcError, about: Circumstances) -> AioRpcError:
    """Return a failure in our words; what the plugin said itself is passed on, without secrets."""
    code = error.code()
    if _is_late(error):
        return as_rpc_error(
            PluginTimedOut(about.plugin, about.method, about.limit_s, by_security=about.by_security)
        )
    if is_lost(error):
        why = about.exit_ or redacted(error.details() or "the connection was lost", about.secrets)
        return as_rpc_error(PluginCrashed(about.plugin, about.method, why))
    if code is StatusCode.RESOURCE_EXHAUSTED and (found := _TOO_LARGE(error.details() or "")):
        size, limit = int(found[2]), int(found[3])
        too_large = PluginMessageTooLarge(
            about.plugin, about.method, size, limit, answer=found[1] == "Received"
        )
        return as_rpc_error(too_large)
    if code in _BUGS:
        said = error.details() or f"it says {code.name}, and not why"
        error = _reworded(error, f"plugin {about.plugin!r} failed in {about.method}: {said}")
    elif code is StatusCode.UNAUTHENTICATED and about.is_attached:
        said = error.details() or "it says not why"
        what = f"plugin {about.plugin!r} refused {about.method}: {said}"
        error = _reworded(error, f"{what}; if it means Hector, see to `auth` of its entry")
    if not _tells_secrets(error, about.secrets):
        return error
    return AioRpcError(
        code,
        Metadata(),
        Metadata(*_without_secrets(error, about.secrets)),
        redacted(error.details() or "", about.secrets),
    )


def _reworded(error: AioRpcError, text: str) -> AioRpcError:
    """Return a failure in words that name the plugin, with what it says to programs."""
    trailers = [
        (key, _worded(value, text) if key == STATUS_DETAILS and isinstance(value, bytes) else value)
        for key, value in error.trailing_metadata() or ()
    ]
    initial = error.initial_metadata() or Metadata()
    return AioRpcError(error.code(), initial, Metadata(*trailers), text, error.debug_error_string())


def _worded(details: bytes, text: str) -> bytes:
    try:
        status = Status.FromString(details)
    except DecodeError:
        return details  # not ours, and not worth a second failure
    status.message = text
    return status.SerializeToString()


def _is_late(error: AioRpcError) -> bool:
    """Say whether it was gRPC that ended a call at its deadline, and not the plugin in words of its own."""
    if error.code() is not StatusCode.DEADLINE_EXCEEDED or _has_details(error):
        return False
    return not error.details() or "deadline exceeded" in (error.details() or "").lower()


def is_lost(error: AioRpcError) -> bool:
    """Say whether a call failed because its process, or the way there, is gone."""
    if error.code() is not StatusCode.UNAVAILABLE or _has_details(error):
        return False
    details = (error.details() or "").lower()
    return not details or any(words in details for words in _LOST)


def _has_details(error: AioRpcError) -> bool:
    return any(key == STATUS_DETAILS for key, _ in error.trailing_metadata() or ())


def _tells_secrets(error: AioRpcError, secrets: frozenset[str]) -> bool:
    if not secrets:
        return False
    pairs = [*(error.trailing_metadata() or ()), *(error.initial_metadata() or ())]
    data = (error.details() or "").encode() + b"".join(_bytes(value) for _, value in pairs)
    return holds_secret(data, secrets)


def _without_secrets(error: AioRpcError, secrets: frozenset[str]) -> list[tuple[str, str | bytes]]:
    pairs = error.trailing_metadata() or ()
    return [(key, value) for key, value in pairs if not holds_secret(_bytes(value), secrets)]


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
