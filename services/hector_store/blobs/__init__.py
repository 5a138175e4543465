"""Large contents outside the database: in a folder, or in an object store.

What speaks to object stores is loaded where one is named.
"""

from .blobs import Blobs, blobs_of

__all__ = ["Blobs", "blobs_of"]
