"""Contents in a folder: a file each, there when it is whole and safe from a power cut."""

import os
from asyncio import to_thread
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from .blobs import Blobs
from .errors import BlobsUnreachable

T = TypeVar("T")


class FolderBlobs(Blobs):
    """A folder of this machine, or one that all replicas mount."""

    def __init__(self, folder: Path, larger_than: int) -> None:
        super().__init__(str(folder), larger_than)
        self._folder = folder

    async def put(self, key: str, data: bytes) -> None:
        await self._done(lambda: _write(self._folder, key, data))

    async def get(self, key: str) -> bytes | None:
        def read() -> bytes | None:
            with suppress(FileNotFoundError):
                return (self._folder / key).read_bytes()
            return None

        return await self._done(read)

    async def has(self, key: str) -> bool:
        return await self._done((self._folder / key).is_file)

    async def delete(self, key: str) -> None:
        await self._done(lambda: (self._folder / key).unlink(missing_ok=True))

    async def _done(self, work: Callable[[], T]) -> T:
        try:
            return await to_thread(work)
        except OSError as error:
            raise BlobsUnreachable(self.name, error.strerror or type(error).__name__) from error


def _write(folder: Path, key: str, data: bytes) -> None:
    file = folder / key
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{uuid4().hex[:8]}")
    try:
        with part.open("xb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    for name in (file.parent, folder):  # the names, too, must survive a power cut
        handle = os.open(name, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
