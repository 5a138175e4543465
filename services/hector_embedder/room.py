"""Puts the room together: every configured embedder behind one router."""

from functools import partial

from hector.embedder.v1 import (
    EmbedderProviderServicer,
    EmbedderProviderStub,
    add_EmbedderProviderServicer_to_server,
)
from hector_config.plugin_word import plugin_word
from hector_embedder.config import EmbedderConfig, EmbedderSection
from hector_embedder.local import LocalEmbedder
from hector_embedder.router import DEFAULT, EmbedderRouter
from hector_mesh import Mesh, Room, forwarding


def build(config: EmbedderSection, mesh: Mesh) -> Room:
    """Return the room that serves `hector.embedder.v1.EmbedderProvider`."""
    configured = config.embedders or {DEFAULT: EmbedderConfig()}
    embedders = {name: _provider(name, entry, mesh) for name, entry in configured.items()}
    return Room(register=partial(add_EmbedderProviderServicer_to_server, EmbedderRouter(embedders)))


def _provider(name: str, config: EmbedderConfig, mesh: Mesh) -> EmbedderProviderServicer:
    if (word := plugin_word(config.provider)) is not None:
        plugin = EmbedderProviderStub(mesh.plugin(word.plugin, f"embedders.{name}"))
        if word.component:
            from .plugin import PluginEmbedder  # most plugins have one model

            return PluginEmbedder(plugin, word.component)
        return forwarding(EmbedderProviderServicer, plugin)
    return LocalEmbedder(config)
