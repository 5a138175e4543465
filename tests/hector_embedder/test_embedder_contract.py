"""The offline embedder behind the router keeps the contract."""

import pytest
from contracts.embedder_provider import EmbedderProviderSuite

from hector.embedder.v1 import EmbedderProviderStub
from hector_embedder import EmbedderSection, build


class TestLocalEmbedder(EmbedderProviderSuite):
    @pytest.fixture
    async def embedder(self, mesh_under_test) -> EmbedderProviderStub:
        room = build(EmbedderSection(), mesh_under_test.mesh)
        await mesh_under_test.serve(room.register)
        return EmbedderProviderStub(mesh_under_test.mesh)


class TestConfiguredEmbedder(EmbedderProviderSuite):
    @pytest.fixture
    async def embedder(self, mesh_under_test) -> EmbedderProviderStub:
        section = EmbedderSection(embedders={"small": {"dimension": 64, "batch_size": 7}, "large": {}})
        await mesh_under_test.serve(build(section, mesh_under_test.mesh).register)
        return EmbedderProviderStub(mesh_under_test.mesh.at("embedders.small"))
