"""Contents in an object store: S3 and what speaks like it, Google Cloud Storage, Azure; by obstore."""

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from .blobs import Blobs
from .errors import BlobsNeedExtra, BlobsNotUsable, BlobsUnreachable

T = TypeVar("T")

TIMEOUT_S = 30
RETRIES = 3


class ObjectBlobs(Blobs):
    """A bucket, or what begins with a prefix there."""

    def __init__(self, url: str, options: Mapping[str, str], larger_than: int) -> None:
        super().__init__(url, larger_than)
        try:
            import obstore
            from obstore import exceptions
            from obstore.store import from_url
        except ImportError as error:
            raise BlobsNeedExtra(url) from error
        self._obstore, self._errors = obstore, exceptions
        self._missing = (FileNotFoundError, exceptions.NotFoundError)
        client: dict[str, Any] = {"timeout": f"{TIMEOUT_S}s"}
        if options.get("endpoint", "").startswith("http://"):  # an operator wrote so
            client["allow_http"] = True
        settings: dict[str, Any] = {"client_options": client, "retry_config": {"max_retries": RETRIES}}
        try:
            self._store = (
                from_url(url) if url.startswith("memory:") else from_url(url, **{**dict(options), **settings})
            )
        except (exceptions.BaseError, ValueError, TypeError) as error:
            raise BlobsNotUsable(url, _first_line(error)) from error

    async def put(self, key: str, data: bytes) -> None:
        await self._done(self._obstore.put_async(self._store, key, data))

    async def get(self, key: str) -> bytes | None:
        try:
            found = await self._done(self._obstore.get_async(self._store, key))
            return bytes(await self._done(found.bytes_async()))
        except self._missing:
            return None

    async def has(self, key: str) -> bool:
        try:
            await self._done(self._obstore.head_async(self._store, key))
        except self._missing:
            return False
        return True

    async def delete(self, key: str) -> None:
        try:
            await self._done(self._obstore.delete_async(self._store, key))
        except self._missing:
            return

    async def _done(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except self._missing:
            raise
        except (self._errors.BaseError, OSError) as error:
            raise BlobsUnreachable(self.name, _first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
