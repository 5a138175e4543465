"""Turns folders of documents into passages that can be searched and cited."""

from hector_document.config import DocumentSection, DocumentStoreConfig
from hector_document.room import build

__all__ = ["DocumentSection", "DocumentStoreConfig", "build"]
