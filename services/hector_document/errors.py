"""Why documents could not be read, indexed or searched."""

from collections.abc import Collection

from grpc import StatusCode

from hector_mesh import HectorError


class DocumentStoreNotFound(HectorError):
    """No store of that name is configured. Name a configured one, or add it under `document_stores:`."""

    code = StatusCode.NOT_FOUND
    reason = "DOCUMENT_STORE_NOT_FOUND"

    def __init__(self, store: str, configured: Collection[str]) -> None:
        names = ", ".join(sorted(configured)) or "none"
        super().__init__(f"no document store named {store!r} (configured: {names})", document_store=store)


class DocumentUnreadable(HectorError):
    """The document cannot be read as text, and will not be until it changes."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "DOCUMENT_UNREADABLE"


class DocumentRequestRefused(HectorError):
    """The request can never succeed as it is."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "DOCUMENT_REQUEST_REFUSED"


class SourceUnavailable(HectorError):
    """The source cannot be looked at now. What was indexed before stays as it is."""

    code = StatusCode.UNAVAILABLE
    reason = "DOCUMENT_SOURCE_UNAVAILABLE"


class ProviderAnsweredWrong(HectorError):
    """An embedder or a vector store said that it failed, or answered something that cannot be."""

    code = StatusCode.UNAVAILABLE
    reason = "PROVIDER_ANSWERED_WRONG"
