"""The errors that A2A defines; `codes` says what each binding makes of them."""

from collections.abc import Collection, Mapping
from typing import ClassVar

from grpc import StatusCode

from hector_mesh import HectorError

DOMAIN = "a2a-protocol.org"


class A2AError(HectorError):
    """Base of the errors that A2A names. The codes are those of A2A 1.0.1."""

    domain: ClassVar[str] = DOMAIN


class TaskNotFound(A2AError):
    """There is no such task, or it is somebody else's: callers cannot tell which."""

    code = StatusCode.NOT_FOUND
    reason = "TASK_NOT_FOUND"

    def __init__(self, task_id: str) -> None:
        super().__init__(f"no task {task_id!r} is known here", taskId=task_id)


class TaskNotCancelable(A2AError):
    """The task is over already."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "TASK_NOT_CANCELABLE"

    def __init__(self, task_id: str, state: str) -> None:
        super().__init__(f"task {task_id!r} is over ({state}); nothing is left to cancel", taskId=task_id)


class PushNotificationNotSupported(A2AError):
    """The agent's card does not offer push notifications."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "PUSH_NOTIFICATION_NOT_SUPPORTED"

    def __init__(self) -> None:
        super().__init__("this agent sends no push notifications; follow the task by stream instead")


class UnsupportedOperation(A2AError):
    """The operation, or this aspect of it, is not available here. The message says what is."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "UNSUPPORTED_OPERATION"


class ContentTypeNotSupported(A2AError):
    """A media type in the request, or one asked for in the answer, is none that the agent knows."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CONTENT_TYPE_NOT_SUPPORTED"

    def __init__(self, found: str, allowed: Collection[str], *, field: str = "") -> None:
        """Say what was found.

        Args:
            found: The media type, or those of which none will do.
            allowed: What would do.
            field: Where it was found, as "message.parts[0]".
        """
        where, facts = (f"{field}: ", {"field": field}) if field else ("", {})
        message = f"{where}media type {found!r} is not supported (allowed: {_list(allowed)})"
        super().__init__(message, found=found, **facts)


class InvalidAgentResponse(A2AError):
    """An agent answered with something that A2A does not allow."""

    code = StatusCode.INTERNAL
    reason = "INVALID_AGENT_RESPONSE"


class ExtendedAgentCardNotConfigured(A2AError):
    """The agent's card promises an extended card, and there is none."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "EXTENDED_AGENT_CARD_NOT_CONFIGURED"

    def __init__(self, agent: str) -> None:
        super().__init__(f"agent {agent!r} has no extended card; its public card is complete", agent=agent)


class ExtensionSupportRequired(A2AError):
    """The agent demands an extension that the client did not name in A2A-Extensions."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "EXTENSION_SUPPORT_REQUIRED"

    def __init__(self, missing: Collection[str]) -> None:
        super().__init__(f"the client must support, and name in A2A-Extensions: {_list(missing)}")


class VersionNotSupported(A2AError):
    """The client speaks a version of A2A that is not served, or a method of another version."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "VERSION_NOT_SUPPORTED"

    def __init__(self, message: str, *, found: str, supported: Collection[str]) -> None:
        super().__init__(message, found=found, supported=", ".join(supported))


class InvalidParams(A2AError):
    """Fields of the request are missing or wrong; `facts` holds what is wrong, by the field's path."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_PARAMS"

    def __init__(self, violations: Mapping[str, str]) -> None:
        """Say what is wrong with which field.

        Args:
            violations: What is wrong, by path as in "message.parts[0].url"; "" is the request itself.
        """
        shown = [f"{path or 'request'}: {wrong}" for path, wrong in list(violations.items())[:3]]
        more = f"; and {len(violations) - 3} more" if len(violations) > 3 else ""
        super().__init__("; ".join(shown) + more)
        self.facts = dict(violations)


def _list(names: Collection[str]) -> str:
    return ", ".join(names) or "none"
