"""Stores and searches vectors: a router over the configured stores, and the embedded one."""

from hector_vector.config import VectorSection, VectorStoreConfig
from hector_vector.room import build

__all__ = ["VectorSection", "VectorStoreConfig", "build"]
