"""Stores and searches vectors: a router over the configured stores, and the embedded one."""

from typing import TYPE_CHECKING

from hector_vector.config import VectorSection, VectorStoreConfig

if TYPE_CHECKING:
    from hector_vector.room import build

__all__ = ["VectorSection", "VectorStoreConfig", "build"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves comes when it is to serve.
    if name == "build":
        from hector_vector.room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
