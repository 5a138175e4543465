"""Why a host does not do what a plugin asks for."""

from grpc import StatusCode

from hector_mesh import HectorError


class HostRefused(HectorError):
    """Base of what a plugin is told."""

    domain = "hector.plugin"


class NotThePlugin(HostRefused):
    """Whoever asks does not show the token of a process that this host runs."""

    code, reason = StatusCode.UNAUTHENTICATED, "PLUGIN_TOKEN_REQUIRED"

    def __init__(self) -> None:
        super().__init__("show the token that the host gave you, as metadata hector-token")


class NotGranted(HostRefused):
    """The configuration does not allow it."""

    code, reason = StatusCode.PERMISSION_DENIED, "PLUGIN_NOT_GRANTED"

    def __init__(self, plugin: str, what: str, wanted: str) -> None:
        super().__init__(
            f"plugin {plugin!r} may not use {what}; to allow it, write under the plugin's entry: "
            f"grants: {{{wanted}}}",
            plugin=plugin,
        )


class NothingHere(HostRefused):
    """It is granted, and this process has no models, tools and embedders to do it with."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PLUGIN_HOST_ALONE"

    def __init__(self, plugin: str, what: str) -> None:
        super().__init__(
            f"plugin {plugin!r} may use {what}, but runs alone here, beside no models, tools and embedders: "
            "ask an agent that uses it, in `hector serve` or `hector call`",
            plugin=plugin,
        )


class CallRequired(HostRefused):
    """It asks for something that is done for a caller, and no caller waits for it."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PLUGIN_CALL_REQUIRED"

    def __init__(self, plugin: str) -> None:
        super().__init__(
            f"plugin {plugin!r} may ask for this while it serves a call: send that call's metadata "
            "hector-call along, before the call has ended",
            plugin=plugin,
        )


class StateFull(HostRefused):
    """There is no room for what it wants to keep."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "PLUGIN_STATE_FULL"

    def __init__(self, plugin: str, limit_bytes: int) -> None:
        super().__init__(
            f"plugin {plugin!r} keeps as much as it may, {limit_bytes:,} bytes; remove something, or raise "
            "grants.state",
            plugin=plugin,
            limit_bytes=limit_bytes,
        )


class StateAway(HostRefused):
    """Where plugins keep things does not answer, or not in time."""

    code, reason = StatusCode.UNAVAILABLE, "PLUGIN_STATE_AWAY"
    retry_after_s = 1.0

    def __init__(self, plugin: str) -> None:
        super().__init__(
            f"what plugin {plugin!r} keeps is out of reach for the moment: try again; what was to be kept or "
            "removed may still be",
            plugin=plugin,
        )


class KeyNotUsable(HostRefused):
    """A key has between one and 256 bytes."""

    code, reason = StatusCode.INVALID_ARGUMENT, "PLUGIN_STATE_KEY"

    def __init__(self, size: int) -> None:
        super().__init__(f"a key has 1 to 256 bytes; this one has {size}")


class ToolUnknown(HostRefused):
    """None of the tools that are granted is called that."""

    code, reason = StatusCode.NOT_FOUND, "TOOL_NOT_FOUND"

    def __init__(self, tool: str, known: tuple[str, ...]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"no tool {tool!r} is granted; there are: {names}", tool=tool)


class ToolNeedsApproval(HostRefused):
    """Only a person can allow this tool, and a plugin cannot ask one."""

    code, reason = StatusCode.PERMISSION_DENIED, "TOOL_NEEDS_APPROVAL"

    def __init__(self, tool: str) -> None:
        super().__init__(f"{tool} needs a person's approval, for which a plugin cannot ask", tool=tool)
