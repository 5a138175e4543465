"""Why a text got no vector."""

from collections.abc import Collection

from grpc import StatusCode

from hector_mesh import HectorError


class EmbedderNotFound(HectorError):
    """No embedder of that name is configured. Name a configured one, or add it under `embedders:`."""

    code = StatusCode.NOT_FOUND
    reason = "EMBEDDER_NOT_FOUND"

    def __init__(self, embedder: str, configured: Collection[str]) -> None:
        names = ", ".join(sorted(configured))
        super().__init__(f"no embedder named {embedder!r} (configured: {names})", embedder=embedder)


class EmbeddingRefused(HectorError):
    """The request cannot be answered by this embedder, however often it is sent."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "EMBEDDING_REFUSED"
