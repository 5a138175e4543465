"""Errors that a plugin's code raises, and what a host makes of them."""

from grpc import StatusCode

from hector_mesh import HectorError


class PluginError(HectorError):
    """A call that cannot be served. Subclass it, and fix `code` and `reason` for programs."""

    code = StatusCode.INTERNAL
    reason = "PLUGIN_FAILED"
    domain = "hector.plugin"


class NotFound(PluginError):
    """What the call names is not here."""

    code = StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class InvalidArgument(PluginError):
    """The call cannot be right, however often it is made."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"


class Unavailable(PluginError):
    """What the plugin stands on does not answer; the host may try again."""

    code = StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class RateLimited(PluginError):
    """Too much was asked of what the plugin stands on."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"


class ToolNotFound(NotFound):
    """No tool is called that."""

    reason = "TOOL_NOT_FOUND"


class ArgumentsInvalid(InvalidArgument):
    """A tool's arguments are not what its schema says."""

    reason = "TOOL_ARGUMENTS_INVALID"


class ModelNotFound(NotFound):
    """No model is called that."""

    reason = "MODEL_NOT_FOUND"

    def __init__(self, model: str, known: str) -> None:
        super().__init__(f"there is no model {model!r}; there is: {known}", model=model)


class EmbeddingRefused(InvalidArgument):
    """The texts cannot be turned into vectors."""

    reason = "EMBEDDING_REFUSED"


class DocumentUnreadable(InvalidArgument):
    """The bytes are no document of the kind that they are said to be."""

    reason = "DOCUMENT_UNREADABLE"


class StateUnreadable(PluginError):
    """A strategy's state is none of its own, or of another version."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STATE_UNREADABLE"


class AskFailed(PluginError):
    """A strategy asked, nothing came of it, and it knows no other way."""

    code = StatusCode.ABORTED
    reason = "ASK_FAILED"


class ToolFailed(Exception):
    """A tool ran and failed. The message is shown to the model, which may try another way."""
