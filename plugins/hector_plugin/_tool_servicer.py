"""Serves functions as hector.tool.v1.ToolProvider."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence

from hector.common.v1 import Part
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    GetToolSchemaRequest,
    GetToolSchemaResponse,
    ListToolsRequest,
    ListToolsResponse,
    StreamToolRequest,
    StreamToolResponse,
    ToolProgress,
    ToolProviderServicer,
)
from hector_mesh import Context

from ._tools import Invocation, Show, Tool
from .errors import InvalidArgument, ToolFailed, ToolNotFound


class Tools(ToolProviderServicer):
    """All tools of a plugin."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in sorted(tools, key=lambda tool: tool.name)}
        if len(self._tools) != len(tools):
            names = [tool.name for tool in tools]
            raise TypeError(f"two tools have the same name: {', '.join(sorted(names))}")
        listed = ListToolsResponse(tools=[tool.message for tool in self._tools.values()])
        self._revision = hashlib.sha256(listed.SerializeToString(deterministic=True)).hexdigest()[:16]

    async def ListTools(self, request: ListToolsRequest, context: Context) -> ListToolsResponse:
        tools = [tool.message for tool in self._tools.values()]
        if request.page_token and not request.page_token.isdecimal():
            raise InvalidArgument("the page token is none of this plugin's")
        begin = int(request.page_token or 0)
        end = begin + request.page_size if request.page_size > 0 else len(tools)
        more = str(end) if end < len(tools) else ""
        return ListToolsResponse(tools=tools[begin:end], next_page_token=more, revision=self._revision)

    async def GetToolSchema(self, request: GetToolSchemaRequest, context: Context) -> GetToolSchemaResponse:
        return GetToolSchemaResponse(tool=self._named(request.tool).message)

    async def ExecuteTool(self, request: ExecuteToolRequest, context: Context) -> ExecuteToolResponse:
        return await self._run(request)

    async def StreamTool(
        self, request: StreamToolRequest, context: Context
    ) -> AsyncIterator[StreamToolResponse]:
        events: asyncio.Queue[ToolProgress | Part | None] = asyncio.Queue()
        running = asyncio.ensure_future(self._run(request, events.put_nowait))
        # Whatever was shown before the end is in the queue before this is.
        running.add_done_callback(lambda _: asyncio.get_running_loop().call_soon(events.put_nowait, None))
        try:
            while (event := await events.get()) is not None:
                if isinstance(event, ToolProgress):
                    yield StreamToolResponse(progress=event)
                else:
                    yield StreamToolResponse(output=event)
            yield StreamToolResponse(result=await running)
        finally:
            running.cancel()
            await asyncio.wait({running})

    def _named(self, name: str) -> Tool:
        try:
            return self._tools[name]
        except KeyError:
            names = ", ".join(self._tools)
            raise ToolNotFound(f"there is no tool named {name!r}; there are: {names}", tool=name) from None

    async def _run(
        self, request: ExecuteToolRequest | StreamToolRequest, show: Show | None = None
    ) -> ExecuteToolResponse:
        tool = self._named(request.tool)
        arguments = tool.arguments(request.parameters_json)
        if request.dry_run:
            return ExecuteToolResponse(success=True, result=f"would run {tool.name}")
        try:
            return await tool.run(arguments, Invocation(request, show))
        except ToolFailed as failed:
            return ExecuteToolResponse(error=str(failed) or "it failed")
