"""Tools that a plugin provides: one of them under the entry's name, or all of them under their own."""

import logging
import math
import re
from collections.abc import AsyncIterator, Sequence

from grpc.aio import AioRpcError

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
    ToolProviderStub,
)
from hector_config.plugin_word import PluginWord
from hector_mesh import Context, Mesh, current_call, info_of, streaming
from hector_tool.config import ToolConfig
from hector_tool.errors import ToolNotFound
from hector_tool.output import capped

log = logging.getLogger(__name__)

LIST_S = 5.0
"""How long a list of tools is waited for; agents go on with what was listed before."""
AWAY_LIST_S = 0.2
"""The same where the last one did not come."""
STOPPED = "PLUGIN_TIMED_OUT"
"""The reason that its host gives where it ended a call at its deadline."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class PluginTools(ToolProviderServicer):
    """Hands calls on, and holds them to what the entry says, as built-in tools are held."""

    def __init__(self, name: str, config: ToolConfig, word: PluginWord, mesh: Mesh) -> None:
        self._name, self._config, self._word = name, config, word
        self._one = config.config.get("tool_name") or word.component
        """The plugin's tool that this entry is; empty: it is all of them."""
        self._plugin = ToolProviderStub(mesh.plugin(word.plugin, f"tools.{name}"))
        self._known: Sequence[Tool] = self._expected()
        self._is_away = False

    async def ListTools(self, request: ListToolsRequest, context: Context) -> ListToolsResponse:
        """List the tools; while the plugin is away, those that were there before.

        It never fails: agents have other tools, too, and are to keep them.
        """
        try:
            self._known = self._offered(await self._listed())
            self._is_away = False
        except (AioRpcError, ToolNotFound) as error:
            if not self._is_away:
                why = error.details() if isinstance(error, AioRpcError) else str(error)
                facts = {"plugin": self._word.plugin, "entry": self._name, "error": why}
                log.warning("tools of a plugin could not be listed", extra=facts)
            self._is_away = True
        return ListToolsResponse(tools=self._known)

    async def GetToolSchema(self, request: GetToolSchemaRequest, context: Context) -> GetToolSchemaResponse:
        tools = (await self.ListTools(ListToolsRequest(), context)).tools
        for tool in tools:
            if tool.name == request.tool:
                return GetToolSchemaResponse(tool=tool)
        raise ToolNotFound(request.tool, [tool.name for tool in tools])

    async def ExecuteTool(self, request: ExecuteToolRequest, context: Context) -> ExecuteToolResponse:
        asked = request.tool
        request.tool = self._own(asked)
        try:
            response = await self._plugin.ExecuteTool(request, timeout=self._config.timeout)
        except AioRpcError as error:
            return self._timed_out(asked, error)
        return self._held(response)

    async def StreamTool(
        self, request: StreamToolRequest, context: Context
    ) -> AsyncIterator[StreamToolResponse]:
        asked = request.tool
        request.tool = self._own(asked)
        try:
            async with streaming(self._plugin.StreamTool(request, timeout=self._config.timeout)) as answers:
                async for answer in answers:
                    if answer.HasField("result"):
                        self._held(answer.result)
                    yield answer
        except AioRpcError as error:
            yield StreamToolResponse(result=self._timed_out(asked, error))

    async def _listed(self) -> list[Tool]:
        tools: list[Tool] = []
        request = ListToolsRequest()
        while True:
            timeout_s = AWAY_LIST_S if self._is_away else LIST_S
            page = await self._plugin.ListTools(request, timeout=timeout_s)
            tools += page.tools
            if not page.next_page_token or page.next_page_token == request.page_token:
                return tools
            request.page_token = page.next_page_token

    def _offered(self, listed: Sequence[Tool]) -> list[Tool]:
        """Return what agents are offered of a plugin's tools."""
        if self._one:
            found = [tool for tool in listed if tool.name == self._one]
            if not found:
                raise ToolNotFound(self._one, [tool.name for tool in listed])
            found[0].name = self._name
        else:
            found = [tool for tool in listed if _NAME.fullmatch(tool.name)]
            for tool in listed:
                if not _NAME.fullmatch(tool.name):
                    facts = {"plugin": self._word.plugin, "tool": tool.name[:100]}
                    log.warning("tool of a plugin has a name that models cannot use", extra=facts)
        for tool in found:
            self._hold(tool)
        return found

    def _hold(self, tool: Tool) -> None:
        config = self._config
        if self._one and config.description:
            tool.description = config.description
        if config.require_approval is not None:
            tool.annotations.requires_approval = config.require_approval
        limit_s = max(1, math.ceil(config.timeout))
        tool.timeout_s = min(tool.timeout_s, limit_s) if tool.timeout_s else limit_s
        tool.after_crash = config.after_crash or tool.after_crash

    def _expected(self) -> list[Tool]:
        """Return what is known of the tools before the plugin has said anything: that one is to be there."""
        if not self._one:
            return []
        away = f"Provided by the plugin {self._word.plugin}, which cannot be asked at present."
        tool = Tool(name=self._name, description=self._config.description or away)
        self._hold(tool)
        return [tool]

    def _own(self, tool: str) -> str:
        """Return the plugin's own name of a tool."""
        if not self._one:
            return tool
        if tool != self._name:
            raise ToolNotFound(tool, [self._name])
        return str(self._one)

    def _held(self, response: ExecuteToolResponse) -> ExecuteToolResponse:
        response.success = not response.error
        response.result = capped(response.result, self._config.max_output_size, "Ask for less at a time.")
        return response

    def _timed_out(self, tool: str, error: AioRpcError) -> ExecuteToolResponse:
        """Return what the model is told where a limit ended a call, not its caller; else raise the error."""
        left, info = current_call.get().remaining(), info_of(error)
        if info.reason != STOPPED or (left is not None and left <= 0):
            raise error
        # The entry's own limit, or the plugin's security.timeout, whichever came first.
        limit_s = float(info.metadata["timeout_s"])
        return ExecuteToolResponse(error=f"{tool} was stopped after {limit_s:g} s.")
