"""A project to look into, documents that answer as told, and the room behind a mesh."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hector.document.v1 import (
    DocumentStoreServicer,
    GetIndexStatusResponse,
    SearchDocumentsResponse,
    add_DocumentStoreServicer_to_server,
)
from hector.tool.v1 import ExecuteToolRequest, ExecuteToolResponse, ToolContext, ToolProviderStub
from hector_tool import ToolSection, build

Serve = Callable[..., Awaitable[ToolProviderStub]]


class Documents(DocumentStoreServicer):
    """Document stores that say what they are told to, and remember what they were asked."""

    def __init__(self):
        self.asked = []
        self.found = SearchDocumentsResponse()
        self.statuses = GetIndexStatusResponse()
        self.failure = None

    async def SearchDocuments(self, request, context):
        self.asked.append(request)
        if self.failure:
            raise self.failure
        return self.found

    async def GetIndexStatus(self, request, context):
        if isinstance(self.statuses, Exception):
            raise self.statuses
        return self.statuses


@pytest.fixture
def project(tmp_path) -> Path:
    """A project folder beside one that nobody may see."""
    outside = tmp_path / "project-twin"
    outside.mkdir()
    (outside / "secret.txt").write_text("TOP SECRET")
    (tmp_path / "secret.txt").write_text("TOP SECRET")
    folder = tmp_path / "project"
    (folder / "docs" / "deep").mkdir(parents=True)
    (folder / "readme.md").write_text("# Title\n\nFirst line of text.\nSecond line of text.\n")
    (folder / "docs" / "guide.md").write_text("alpha\nbeta\ngamma\nalpha again\n")
    (folder / "docs" / "deep" / "note.txt").write_text("deep alpha\n")
    return folder


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
async def serve(mesh_under_test, project, documents) -> Serve:
    """Serve tools as a configuration has them; file tools work in `project`."""

    async def serve(tools: dict[str, dict[str, Any]] | None) -> ToolProviderStub:
        placed = None if tools is None else {name: dict(entry) for name, entry in tools.items()}
        section = ToolSection.model_validate({"tools": placed}, context={"project_dir": project})
        room = build(section, mesh_under_test.mesh)
        await mesh_under_test.serve(
            room.register, lambda server: add_DocumentStoreServicer_to_server(documents, server)
        )
        return ToolProviderStub(mesh_under_test.mesh)

    return serve


@pytest.fixture
async def every(serve) -> ToolProviderStub:
    """All the tools of this version, as they come."""
    return await serve({"search": {}, "read_file": {}, "grep_search": {}, "todo_write": {}})


async def call(
    tools: ToolProviderStub, name: str, context: ToolContext | None = None, **arguments: Any
) -> ExecuteToolResponse:
    request = ExecuteToolRequest(tool=name, parameters_json=json.dumps(arguments), context=context)
    return await tools.ExecuteTool(request, timeout=20)


@pytest.fixture(name="call")
def _call():
    return call
