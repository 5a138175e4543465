"""Puts the room together: every configured embedder behind one router."""

from functools import partial

from hector.embedder.v1 import EmbedderProviderServicer, add_EmbedderProviderServicer_to_server
from hector_embedder.config import EmbedderConfig, EmbedderSection
from hector_embedder.local import LocalEmbedder
from hector_embedder.router import DEFAULT, EmbedderRouter
from hector_mesh import Mesh, Room


def build(config: EmbedderSection, mesh: Mesh) -> Room:
    """Return the room that serves `hector.embedder.v1.EmbedderProvider`."""
    configured = config.embedders or {DEFAULT: EmbedderConfig()}
    embedders: dict[str, EmbedderProviderServicer] = {
        name: LocalEmbedder(entry) for name, entry in configured.items()
    }
    return Room(register=partial(add_EmbedderProviderServicer_to_server, EmbedderRouter(embedders)))
