"""Picks the tool that a call is for."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping

from hector.common.v1 import Tool
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    GetToolSchemaRequest,
    GetToolSchemaResponse,
    ListToolsRequest,
    ListToolsResponse,
    StreamToolRequest,
    StreamToolResponse,
    ToolProviderServicer,
)
from hector_mesh import Context, Generations, current_call
from hector_tool.errors import ToolEntryNotFound, ToolNotFound


class ToolRouter(ToolProviderServicer):
    """Serves every enabled entry of `tools:` by passing the call to whoever provides it.

    A call for an instance, "tools.search", goes to that entry; a call for none sees all of them. A call that
    goes by an older revision of the config gets the tools of that one, as long as runs may go by it.
    """

    def __init__(self, tools: Generations[Mapping[str, ToolProviderServicer]]) -> None:
        """Serve entries by their instance, "tools.search"."""
        self._entries = tools

    @property
    def _providers(self) -> Mapping[str, ToolProviderServicer]:
        return self._entries.of(current_call.get().revision)

    async def ListTools(self, request: ListToolsRequest, context: Context) -> ListToolsResponse:
        tools = sorted(await self._tools(context), key=lambda tool: tool.name)
        digest = hashlib.sha256()
        for tool in tools:
            digest.update(tool.SerializeToString(deterministic=True))
        after = [tool for tool in tools if tool.name > request.page_token]
        page = after[: request.page_size] if request.page_size > 0 else after
        token = page[-1].name if len(page) < len(after) else ""
        return ListToolsResponse(tools=page, next_page_token=token, revision=digest.hexdigest()[:16])

    async def GetToolSchema(self, request: GetToolSchemaRequest, context: Context) -> GetToolSchemaResponse:
        tools = await self._tools(context)
        for tool in tools:
            if tool.name == request.tool:
                return GetToolSchemaResponse(tool=tool)
        raise ToolNotFound(request.tool, [tool.name for tool in tools])

    async def ExecuteTool(self, request: ExecuteToolRequest, context: Context) -> ExecuteToolResponse:
        provider = await self._provider(request.tool, context)
        return await provider.ExecuteTool(request, context)

    async def StreamTool(
        self, request: StreamToolRequest, context: Context
    ) -> AsyncIterator[StreamToolResponse]:
        provider = await self._provider(request.tool, context)
        async for response in provider.StreamTool(request, context):
            yield response

    async def _provider(self, tool: str, context: Context) -> ToolProviderServicer:
        instance = current_call.get().instance
        if instance:
            return self._entry(instance)
        tools = await self._tools(context)
        for known in tools:
            if known.name == tool:
                return self._providers[known.instance]
        raise ToolNotFound(tool, [known.name for known in tools])

    async def _tools(self, context: Context) -> list[Tool]:
        """Return the tools of the entry that the call is for, or of all, each with its entry's name."""
        instance = current_call.get().instance
        chosen = {instance: self._entry(instance)} if instance else self._providers
        tools: list[Tool] = []
        asked = [provider.ListTools(ListToolsRequest(), context) for provider in chosen.values()]
        answers = await asyncio.gather(*asked)  # side by side: some may be plugins that answer late
        for name, answer in zip(chosen, answers, strict=True):
            for listed in answer.tools:
                tool = Tool()
                tool.CopyFrom(listed)
                tool.instance = name
                tools.append(tool)
        return tools

    def _entry(self, instance: str) -> ToolProviderServicer:
        try:
            return self._providers[instance]
        except KeyError:
            raise ToolEntryNotFound(instance, self._providers) from None
