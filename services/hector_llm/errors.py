"""How asking a model fails. `failures` in the adapter's package decides which of these an answer means."""

from grpc import StatusCode

from hector_mesh import HectorError


class ModelError(HectorError):
    """A model could not be asked, or did not answer."""

    code = StatusCode.UNAVAILABLE
    reason = "MODEL_FAILED"


class ModelUnreachable(ModelError):
    """No connection to the provider, or nothing but failures from it. Asking later may help."""

    reason = "MODEL_UNREACHABLE"


class ModelTimedOut(ModelError):
    """The provider accepted the request and then kept us waiting.

    UNAVAILABLE and not DEADLINE_EXCEEDED: it was the model's time that ran out, not the caller's, who may
    ask again.
    """

    reason = "MODEL_TIMED_OUT"


class ModelRateLimited(ModelError):
    """The provider wants fewer requests, or money. `retry_after_s` says when to come back, if known."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "MODEL_RATE_LIMITED"


class ModelAuth(ModelError):
    """The provider does not accept our key, or there is none. The operator must act, not the caller."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "MODEL_AUTH"


class ModelNotFound(ModelError):
    """There is no such model: none configured by that name, or the provider does not know it."""

    code = StatusCode.NOT_FOUND
    reason = "MODEL_NOT_FOUND"


class ModelRefused(ModelError):
    """The provider understood the request and rejects it, in its own words."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "MODEL_REFUSED"


class ContextTooLong(ModelError):
    """The conversation is longer than the model can read."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CONTEXT_TOO_LONG"


class ModelBrokeOff(ModelError):
    """The answer ended before its end. What came before it has been handed out and stays."""

    reason = "MODEL_BROKE_OFF"


class ModelGarbled(ModelError):
    """What came back is not the answer of a model: a web page, broken JSON, an empty object."""

    reason = "MODEL_GARBLED"


class OllamaHostUnusable(ModelError):
    """The environment's OLLAMA_HOST says no place."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "OLLAMA_HOST_UNUSABLE"

    def __init__(self, found: str) -> None:
        super().__init__(
            f"OLLAMA_HOST is {found!r}; write HOST, HOST:PORT or an http:// URL, or name the place in "
            "llms.<name>.base_url instead"
        )
