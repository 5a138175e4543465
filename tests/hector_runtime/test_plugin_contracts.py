"""Issue 7: every contract's suite also passes where a plugin process stands in the place of a built-in."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import support.built_ins_plugin
from contracts.database_provider import DatabaseProviderSuite
from contracts.embedder_provider import EmbedderProviderSuite
from contracts.llm_provider import LLMProviderSuite
from contracts.reasoning_strategy import ReasoningStrategySuite
from contracts.tool_provider import ToolProviderSuite

import hector_embedder
import hector_llm
import hector_reasoning
import hector_tool
import hector_vector
from hector.embedder.v1 import EmbedderProviderStub
from hector.llm.v1 import LLMProviderStub
from hector.reasoning.v1 import InitializeRequest, ReasoningStrategyStub
from hector.tool.v1 import ToolProviderStub
from hector.vector.v1 import (
    DatabaseProviderStub,
    DeleteCollectionRequest,
    ListCollectionsRequest,
)
from hector_mesh import LocalChannel, LocalServer, Mesh, Room
from hector_plugin_host import PluginPlan
from hector_plugin_host.host import PluginHost
from hector_plugin_host.premises import Premises

WORD = "plugin:built-ins"
START_S = 30
Served = Callable[[Room], Mesh]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """One process for all suites: starting it for every test would take minutes."""
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    socket = folder / "p.sock"
    program = support.built_ins_plugin.__file__
    process = subprocess.Popen(
        [sys.executable, program, "--standalone", f"unix:{socket}"],
        cwd=folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "listens on" in process.stderr.readline()
        yield f"unix:{socket}"
    finally:
        process.terminate()
        process.communicate(timeout=START_S)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def plugins(address: str) -> AsyncIterator[Mesh]:
    """A mesh with nothing in it but the plugin, behind its host."""
    host = PluginHost([PluginPlan("built-ins", mode="attach", address=address)], Premises())
    async with asyncio.timeout(60), host.running():
        yield Mesh({}, plugins=host.channels)


@pytest.fixture
def serve(plugins: Mesh) -> Served:
    """Return what serves a room, and gives the mesh in which it is."""

    def served(room: Room) -> Mesh:
        server = LocalServer()
        room.register(server)
        return Mesh(dict.fromkeys(server.services, LocalChannel(server)))

    return served


class TestEmbedder(EmbedderProviderSuite):
    @pytest.fixture
    def embedder(self, serve: Served, plugins: Mesh) -> EmbedderProviderStub:
        section = hector_embedder.EmbedderSection(embedders={"mine": {"provider": WORD}})
        return EmbedderProviderStub(serve(hector_embedder.build(section, plugins)).at("embedders.mine"))


class TestVectorStore(DatabaseProviderSuite):
    @pytest.fixture
    async def vectors(self, serve: Served, plugins: Mesh) -> DatabaseProviderStub:
        section = hector_vector.VectorSection(vector_stores={"mine": {"type": WORD}})
        room = hector_vector.build(section, plugins)
        stub = DatabaseProviderStub(serve(room).at("vector_stores.mine"))
        for one in (await stub.ListCollections(ListCollectionsRequest())).collections:
            await stub.DeleteCollection(DeleteCollectionRequest(name=one.name))
        return stub


class TestModel(LLMProviderSuite):
    @pytest.fixture
    def llm(self, serve: Served, plugins: Mesh) -> LLMProviderStub:
        config = hector_llm.LLMSection(llms={"mine": hector_llm.LLMConfig(provider=WORD)})
        return LLMProviderStub(serve(hector_llm.build(config, plugins, environ={})).at("llms.mine"))


class TestTools(ToolProviderSuite):
    @pytest.fixture
    def tools(self, serve: Served, plugins: Mesh) -> ToolProviderStub:
        section = hector_tool.ToolSection(tools={"mine": {"type": WORD}})
        return ToolProviderStub(serve(hector_tool.build(section, plugins)))

    @pytest.fixture
    def a_call(self) -> tuple[str, dict[str, object]]:
        return "todo_write", {"todos": [{"id": "1", "content": "Look", "status": "pending"}]}


class TestStrategy(ReasoningStrategySuite):
    @pytest.fixture
    def reasoning(self, serve: Served, plugins: Mesh) -> ReasoningStrategyStub:
        room = hector_reasoning.build(hector_reasoning.ReasoningSection(), plugins)
        return ReasoningStrategyStub(_Named(serve(room).at("agents.mine")))


class _Named(Mesh):
    """Says in each beginning that the strategy is a plugin, as an agent of such a config does."""

    def __init__(self, inner: Mesh) -> None:
        super().__init__(inner._routes, instance="agents.mine")

    def unary_unary(self, method, *coders, **more):
        call = super().unary_unary(method, *coders, **more)
        if not method.endswith("/Initialize"):
            return call

        def initialize(request: InitializeRequest, **options):
            request.options_json = request.options_json or f'{{"strategy": "{WORD}"}}'
            return call(request, **options)

        return initialize
