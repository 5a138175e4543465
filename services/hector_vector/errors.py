"""Why a vector store could not do what it was asked."""

from collections.abc import Collection

from grpc import StatusCode

from hector_mesh import HectorError
from hector_vector.config import SHARED


class VectorStoreNotFound(HectorError):
    """No store of that name is configured. Name a configured one, or add it under `vector_stores:`."""

    code = StatusCode.NOT_FOUND
    reason = "VECTOR_STORE_NOT_FOUND"

    def __init__(self, store: str, configured: Collection[str]) -> None:
        names = ", ".join(sorted(configured))
        super().__init__(f"no vector store named {store!r} (configured: {names})", vector_store=store)


class VectorStoreInUse(HectorError):
    """Another process has the store open. Stop it, or use a store that several processes may share."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "VECTOR_STORE_IN_USE"

    def __init__(self, store: str, path: str, holder: str) -> None:
        super().__init__(
            f"the embedded vector store {store!r} in {path} is in use by {holder}, and belongs to one process"
            f" at a time; stop that process, choose another persist_path, or use a store made for several"
            f" ({SHARED})",
            vector_store=store,
            path=path,
            holder=holder,
        )


class VectorStoreDamaged(HectorError):
    """The store's file cannot be read or written as it should."""

    code = StatusCode.DATA_LOSS
    reason = "VECTOR_STORE_DAMAGED"

    def __init__(self, store: str, path: str, why: str) -> None:
        super().__init__(
            f"the embedded vector store {store!r} in {path} failed: {why}; check the disk, or remove the"
            " folder and have the documents indexed again",
            vector_store=store,
            path=path,
        )


class VectorStoreFull(HectorError):
    """There is no room on the disk."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "VECTOR_STORE_FULL"

    def __init__(self, store: str, path: str) -> None:
        super().__init__(
            f"the disk of the embedded vector store {store!r} in {path} is full; this write was not kept",
            vector_store=store,
            path=path,
        )


class CollectionNotFound(HectorError):
    """The store has no collection of that name. CreateCollection makes one."""

    code = StatusCode.NOT_FOUND
    reason = "COLLECTION_NOT_FOUND"

    def __init__(self, collection: str) -> None:
        super().__init__(f"no collection named {collection!r}; create it first", collection=collection)


class CollectionMismatch(HectorError):
    """A collection of that name is there, with another definition."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "COLLECTION_MISMATCH"

    def __init__(self, collection: str, found: str, wanted: str) -> None:
        super().__init__(
            f"collection {collection!r} holds {found}, not {wanted}; delete it first, or use another name",
            collection=collection,
            found=found,
            wanted=wanted,
        )


class WrongDimension(HectorError):
    """A vector is longer or shorter than the collection's."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "WRONG_DIMENSION"

    def __init__(self, collection: str, what: str, found: int, allowed: int) -> None:
        super().__init__(
            f"collection {collection!r} holds vectors of {allowed} floats, {what} has {found}",
            collection=collection,
            found=found,
            allowed=allowed,
        )


class VectorRequestRefused(HectorError):
    """The request can never succeed as it is."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "VECTOR_REQUEST_REFUSED"


class VectorsUnsupported(HectorError):
    """The contract allows it, this store cannot do it."""

    code = StatusCode.UNIMPLEMENTED
    reason = "VECTORS_UNSUPPORTED"
