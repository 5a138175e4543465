"""Why a tool could not be run, and why one that ran did not do what was asked."""

from collections.abc import Collection

from grpc import StatusCode

from hector_mesh import HectorError


class ToolNotFound(HectorError):
    """There is no such tool here."""

    code = StatusCode.NOT_FOUND
    reason = "TOOL_NOT_FOUND"

    def __init__(self, tool: str, known: Collection[str]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(f"there is no tool named {tool!r}; there are: {names}", tool=tool)


class ToolEntryNotFound(HectorError):
    """No enabled entry of `tools:` is called that."""

    code = StatusCode.NOT_FOUND
    reason = "TOOL_NOT_FOUND"

    def __init__(self, instance: str, configured: Collection[str]) -> None:
        names = ", ".join(sorted(configured)) or "none"
        super().__init__(
            f"no entry {instance!r} is configured and enabled (there are: {names})", instance=instance
        )


class ArgumentsInvalid(HectorError):
    """The arguments do not match the tool's schema. Nothing was done."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "TOOL_ARGUMENTS_INVALID"

    def __init__(self, tool: str, problems: Collection[str]) -> None:
        super().__init__(f"{tool}: {'; '.join(problems)}", tool=tool)


class ToolDenied(HectorError):
    """The tool may not do this, whoever asks. Nothing was done."""

    code = StatusCode.PERMISSION_DENIED
    reason = "TOOL_DENIED"


class ToolFailed(Exception):
    """The tool ran and could not do what was asked; the message tells the model why."""
