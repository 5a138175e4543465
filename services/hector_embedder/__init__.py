"""Turns text into vectors: a router over the configured embedders, and the offline one."""

from typing import TYPE_CHECKING

from hector_embedder.config import EmbedderConfig, EmbedderSection

if TYPE_CHECKING:
    from hector_embedder.room import build

__all__ = ["EmbedderConfig", "EmbedderSection", "build"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves comes when it is to serve.
    if name == "build":
        from hector_embedder.room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
