"""Turns folders of documents into passages that can be searched and cited."""

from typing import TYPE_CHECKING

from hector_document.config import DocumentSection, DocumentStoreConfig

if TYPE_CHECKING:
    from hector_document.room import build

__all__ = ["DocumentSection", "DocumentStoreConfig", "build"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves comes when it is to serve.
    if name == "build":
        from hector_document.room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
