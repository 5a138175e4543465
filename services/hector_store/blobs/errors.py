"""What can go wrong with contents outside the database."""

from grpc import StatusCode

from hector_mesh import HectorError


class BlobsUnreachable(HectorError):
    """A content could not be put, read or deleted. It may work later."""

    code = StatusCode.UNAVAILABLE
    reason = "BLOBS_UNREACHABLE"

    def __init__(self, place: str, detail: str) -> None:
        super().__init__(
            f"{place} cannot be used ({detail}); check storage.blobs, then try again", place=place
        )


class BlobsNotUsable(HectorError):
    """What the config says of the store is wrong."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "BLOBS_NOT_USABLE"

    def __init__(self, place: str, detail: str) -> None:
        super().__init__(f"storage.blobs cannot be used: {place}: {detail}", place=place)


class BlobsNeedExtra(HectorError):
    """What speaks to object stores is not installed."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "BLOBS_NEED_EXTRA"

    def __init__(self, place: str) -> None:
        super().__init__(
            f'{place} is an object store, and its client is not installed: pip install "hector[blobs]"',
            place=place,
        )
