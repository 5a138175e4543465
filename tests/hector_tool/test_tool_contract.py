"""The built-in tools keep the contract, each by itself and all behind the router."""

import pytest
from contracts.tool_provider import ToolProviderSuite

from hector.tool.v1 import ToolProviderStub

CALLS = {
    "search": {"query": "what"},
    "read_file": {"path": "readme.md"},
    "grep_search": {"pattern": "alpha"},
    "todo_write": {"todos": [{"id": "1", "content": "Look", "status": "pending"}]},
}


class TestRouter(ToolProviderSuite):
    """Called for no instance: all tools at once."""

    @pytest.fixture
    def tools(self, every):
        return every

    @pytest.fixture(params=CALLS)
    def a_call(self, request):
        return request.param, CALLS[request.param]


class TestOneEntry(ToolProviderSuite):
    """Called for one instance."""

    @pytest.fixture(params=CALLS)
    def a_call(self, request):
        return request.param, CALLS[request.param]

    @pytest.fixture
    def tools(self, every, a_call, mesh_under_test):
        return ToolProviderStub(mesh_under_test.mesh.at(f"tools.{a_call[0]}"))
