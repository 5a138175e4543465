"""Turns text into vectors: a router over the configured embedders, and the offline one."""

from hector_embedder.config import EmbedderConfig, EmbedderSection
from hector_embedder.room import build

__all__ = ["EmbedderConfig", "EmbedderSection", "build"]
