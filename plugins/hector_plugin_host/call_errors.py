"""How a call of a plugin fails where it is the host who says so; what the plugin says itself is passed on."""

from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from hector_mesh import HectorError
from hector_mesh.errors import refusal


class PluginCallFailed(HectorError):
    """Base of what the host says in a plugin's place."""

    domain = "hector.plugin"

    def __init__(self, message: str, *, retry_after_s: float = 0.0, **facts: object) -> None:
        super().__init__(message, **facts)
        if retry_after_s:
            self.retry_after_s = retry_after_s  # type: ignore[misc]  # here it differs from call to call


class NoSuchPlugin(PluginCallFailed):
    """Nothing in the configuration that this process runs is called that."""

    code, reason = StatusCode.NOT_FOUND, "PLUGIN_NOT_FOUND"

    def __init__(self, plugin: str, known: tuple[str, ...]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"no plugin {plugin!r} runs here; there are: {names}", plugin=plugin)


class PluginNotReady(PluginCallFailed):
    """It starts, or will soon be started again, and the caller's time is over before that."""

    code, reason = StatusCode.UNAVAILABLE, "PLUGIN_NOT_READY"

    def __init__(self, plugin: str, why: str, retry_after_s: float) -> None:
        message = f"plugin {plugin!r} is not ready: {why}"
        super().__init__(message, retry_after_s=max(0.1, retry_after_s), plugin=plugin)


class PluginFailed(PluginCallFailed):
    """It cannot be used, and waiting does not help: somebody has to mend it."""

    code, reason = StatusCode.UNAVAILABLE, "PLUGIN_FAILED"

    def __init__(self, plugin: str, why: str) -> None:
        message = f"plugin {plugin!r} has failed: {why}; when it is mended: hector plugin restart {plugin}"
        super().__init__(message, plugin=plugin)


class PluginStopping(PluginCallFailed):
    """The server, or this plugin of it, is being stopped."""

    code, reason = StatusCode.UNAVAILABLE, "PLUGIN_STOPPING"

    def __init__(self, plugin: str) -> None:
        super().__init__(f"plugin {plugin!r} is being stopped and takes no more calls", plugin=plugin)


class PluginCircuitOpen(PluginCallFailed):
    """Half of its latest calls of this method have failed; nobody waits for more of them."""

    code, reason = StatusCode.UNAVAILABLE, "PLUGIN_CIRCUIT_OPEN"

    def __init__(self, plugin: str, method: str, retry_after_s: float) -> None:
        super().__init__(
            f"plugin {plugin!r} failed in half of its latest calls of {method}; "
            f"none is made for the next {retry_after_s:.1f} s",
            retry_after_s=retry_after_s,
            plugin=plugin,
            method=method,
        )


class PluginCrashed(PluginCallFailed):
    """Its process, or the connection to it, was lost while it had the call."""

    code, reason = StatusCode.UNAVAILABLE, "PLUGIN_CRASHED"

    def __init__(self, plugin: str, method: str, why: str) -> None:
        super().__init__(
            f"plugin {plugin!r} was lost while it worked on {method}: {why}",
            retry_after_s=1.0,
            plugin=plugin,
            method=method,
        )


class PluginBusy(PluginCallFailed):
    """As many calls wait for a place as may, or more than there is time for."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "PLUGIN_BUSY"

    def __init__(self, plugin: str, in_flight: int, waiting: int, retry_after_s: float) -> None:
        super().__init__(
            f"plugin {plugin!r} has {in_flight} calls at work and {waiting} waiting; "
            "ask again a little later, or raise its limits.max_concurrency",
            retry_after_s=max(0.1, retry_after_s),
            plugin=plugin,
            in_flight=in_flight,
            waiting=waiting,
        )


class PluginMessageTooLarge(PluginCallFailed):
    """What it answered, or was asked, is more than the host takes or sends in one message."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "PLUGIN_MESSAGE_TOO_LARGE"

    def __init__(self, plugin: str, method: str, size: int, limit: int, *, answer: bool) -> None:
        what = f"answered {method} with" if answer else f"was to be asked {method} with"
        super().__init__(
            f"plugin {plugin!r} {what} a message of {size:,} bytes, and {limit:,} are allowed; send less, or "
            "raise its limits.max_message_size",
            plugin=plugin,
            method=method,
            size_bytes=size,
            limit_bytes=limit,
        )


class PluginTimedOut(PluginCallFailed):
    """It did not answer before the call's deadline."""

    code, reason = StatusCode.DEADLINE_EXCEEDED, "PLUGIN_TIMED_OUT"

    def __init__(self, plugin: str, method: str, limit_s: float, *, by_security: bool) -> None:
        whose = "its security.timeout" if by_security else "the caller's deadline"
        super().__init__(
            f"plugin {plugin!r} did not answer {method} within {limit_s:.3g} s, {whose}",
            plugin=plugin,
            method=method,
            timeout_s=f"{limit_s:.3g}",
        )


class PluginDrained(PluginCallFailed):
    """The call outlasted the process that it was made to, which has been replaced."""

    code, reason = StatusCode.CANCELLED, "PLUGIN_DRAINED"

    def __init__(self, plugin: str, method: str, limit_s: float) -> None:
        super().__init__(
            f"plugin {plugin!r} was replaced, and {method} took longer than the {limit_s:g} s that calls get "
            "to end then; raise its limits.drain_timeout, or ask again",
            plugin=plugin,
            method=method,
        )


class PluginAnsweredNonsense(PluginCallFailed):
    """What it sent is no message of the contract."""

    code, reason = StatusCode.INTERNAL, "PLUGIN_ANSWERED_NONSENSE"

    def __init__(self, plugin: str, method: str, size: int) -> None:
        super().__init__(
            f"plugin {plugin!r} answered {method} with {size:,} bytes that are not the contract's message; "
            f"`hector plugin test` tells its author more",
            plugin=plugin,
            method=method,
        )


def as_rpc_error(error: HectorError) -> AioRpcError:
    """Return an error as callers of a stub meet it."""
    code, text, trailers = refusal(error)
    return AioRpcError(code, Metadata(), Metadata(*trailers), text)
