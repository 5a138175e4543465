"""Files of Hector's own: they may lie in a plugin's folder, and are none of its business."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hector_mesh import HectorError
from hector_store.url import Place, parse

if TYPE_CHECKING:
    from hector_runtime.config import Config

_BESIDE = ("", "-wal", "-shm", "-journal")
"""What SQLite keeps beside its file, at one time or another."""


def private_files(config: "Config", folder: Path) -> tuple[Path, ...]:
    """Return what a plugin in a folder is not to see, there or not yet there.

    Args:
        config: What this process runs on.
        folder: The plugin's.
    """
    found = [*folder.glob("hector*.y*ml"), *_of(config)]
    return tuple(sorted({path.absolute() for path in found}))


def _of(config: "Config") -> Iterator[Path]:
    if config.file is not None:
        yield config.file
    yield from _database(config.storage.database)
    if config.storage.blobs.url and "://" not in config.storage.blobs.url:
        yield Path(config.storage.blobs.url)
    yield from (store.persist_path for store in config.vector_stores.values() if store.persist_path)
    yield from (key.key_file for key in config.server.a2a.signing)
    if config.logger.file is not None:
        yield config.logger.file
    yield config.plugins.folder


def _database(url: str) -> Iterator[Path]:
    try:
        place = parse(url)
    except HectorError:
        return  # whoever opens it says so
    if isinstance(place, Place) and place.file is not None:
        yield from (place.file.with_name(place.file.name + ending) for ending in _BESIDE)
