"""Where large contents go, whatever that is."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hector_store.blobs_config import BlobsConfig


class Blobs(ABC):
    """A place for contents by key. A key is written once, and what was put is there for good."""

    def __init__(self, name: str, larger_than: int) -> None:
        self.name = name
        """What messages call it."""
        self.larger_than = larger_than
        """Contents of more bytes than this go here."""

    @abstractmethod
    async def put(self, key: str, data: bytes) -> None:
        """Put a content, whole or not at all.

        Raises:
            BlobsUnreachable: It could not be put.
        """

    @abstractmethod
    async def get(self, key: str) -> bytes | None:
        """Return a content; None when there is none.

        Raises:
            BlobsUnreachable: Nobody knows.
        """

    @abstractmethod
    async def has(self, key: str) -> bool:
        """Say whether there is a content; raises as `get` does."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Delete a content; one that is not there is deleted already. Raises as `get` does."""


def blobs_of(config: "BlobsConfig") -> Blobs | None:
    """Return where large contents go; None: into the database.

    Raises:
        HectorError: BLOBS_NOT_USABLE: the address or an option is none that the store's client takes.
    """
    if not config.url:
        return None
    scheme, mark, path = config.url.partition("://")
    if not mark or scheme == "file":
        from .folder import FolderBlobs

        return FolderBlobs(Path(path if mark else config.url), config.larger_than)
    from .objects import ObjectBlobs

    return ObjectBlobs(
        config.url, {key: text.reveal() for key, text in config.options.items()}, config.larger_than
    )
