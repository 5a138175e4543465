"""A built-in tool, served like any other provider."""

import asyncio
import hashlib
import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic

from hector.common.v1 import Tool, ToolAnnotations
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    GetToolSchemaRequest,
    GetToolSchemaResponse,
    ListToolsRequest,
    ListToolsResponse,
    StreamToolRequest,
    StreamToolResponse,
    ToolContext,
    ToolProviderServicer,
)
from hector_mesh import Context, current_call
from hector_tool.arguments import A, parsed, schema_of
from hector_tool.config import ToolConfig
from hector_tool.errors import ToolDenied, ToolFailed, ToolNotFound
from hector_tool.output import capped

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn(Generic[A]):
    """What a tool is and what it does."""

    title: str
    description: str
    arguments: type[A]
    run: Callable[[A, ToolContext], Awaitable[ExecuteToolResponse]]
    """Does the work. Raises ToolFailed for what the model should know, ToolDenied for what may not be."""
    annotations: ToolAnnotations
    state_keys: tuple[str, ...] = ()
    result_schema: dict[str, Any] = field(default_factory=dict)
    """JSON Schema of `structured_json`; empty is free text."""


class BuiltInProvider(ToolProviderServicer, Generic[A]):
    """Serves one configured entry: checks the arguments, keeps time and size, and says what failed."""

    def __init__(self, name: str, config: ToolConfig, tool: BuiltIn[A]) -> None:
        self._name = name
        self._config = config
        self._built_in = tool
        annotations = ToolAnnotations()
        annotations.CopyFrom(tool.annotations)
        annotations.requires_approval = bool(config.require_approval)
        self._tool = Tool(
            name=name,
            description=config.description or tool.description,
            parameters_json=json.dumps(schema_of(tool.arguments)),
            result_schema_json=json.dumps(tool.result_schema) if tool.result_schema else "",
            title=tool.title,
            annotations=annotations,
            timeout_s=max(1, math.ceil(config.timeout)),
            state_keys=tool.state_keys,
            after_crash=config.after_crash or "",
        )
        self._revision = hashlib.sha256(self._tool.SerializeToString(deterministic=True)).hexdigest()[:16]

    async def ListTools(self, request: ListToolsRequest, context: Context) -> ListToolsResponse:
        return ListToolsResponse(tools=[self._tool], revision=self._revision)

    async def GetToolSchema(self, request: GetToolSchemaRequest, context: Context) -> GetToolSchemaResponse:
        self._check(request.tool)
        return GetToolSchemaResponse(tool=self._tool)

    async def ExecuteTool(self, request: ExecuteToolRequest, context: Context) -> ExecuteToolResponse:
        return await self._execute(request)

    async def StreamTool(
        self, request: StreamToolRequest, context: Context
    ) -> AsyncIterator[StreamToolResponse]:
        yield StreamToolResponse(result=await self._execute(request))

    async def _execute(self, request: ExecuteToolRequest | StreamToolRequest) -> ExecuteToolResponse:
        self._check(request.tool)
        arguments = parsed(self._name, self._built_in.arguments, request.parameters_json)
        if request.dry_run:
            said = f"{self._name} would run with these arguments; nothing was done."
            return ExecuteToolResponse(success=True, result=said)
        limit = asyncio.timeout(self._config.timeout)
        try:
            async with limit:
                response = await self._built_in.run(arguments, request.context)
        except ToolFailed as failure:
            return ExecuteToolResponse(error=str(failure))
        except ToolDenied:
            asker = current_call.get().principal.id
            facts = {"tool": self._name, "agent": request.context.agent, "principal": asker}
            log.warning("tool call denied", extra=facts)
            raise
        except TimeoutError:
            if not limit.expired():
                raise
            return ExecuteToolResponse(error=f"{self._name} was stopped after {self._config.timeout:g} s.")
        response.success = not response.error
        response.result = capped(response.result, self._config.max_output_size, "Ask for less at a time.")
        return response

    def _check(self, tool: str) -> None:
        if tool != self._name:
            raise ToolNotFound(tool, [self._name])
