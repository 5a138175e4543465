"""Calls of a stranger's tools that do no harm."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hector.common.v1 import Tool
from hector.tool.v1 import ExecuteToolRequest, ListToolsRequest, ToolProviderStub

from .samples import sample_of, schema_in

if TYPE_CHECKING:
    from .connected import Plugin
    from .subject import Subject

SLOW_S = 20
"""How long a slow call is asked to take."""
SECONDS = ("seconds", "duration", "duration_s", "delay", "delay_s")
"""Arguments that say how long a tool is to take."""


async def listed(plugin: "Plugin") -> list[Tool]:
    """Return all tools."""
    response = await plugin.call(ToolProviderStub, "ListTools", ListToolsRequest())
    return list(response.tools)


async def harmless(plugin: "Plugin", subject: "Subject") -> ExecuteToolRequest | None:
    """Return a call of the first tool that may be called: as the author says, or as its annotations do."""
    tools = await listed(plugin)
    for tool in tools:
        if tool.name in subject.calls:
            return _request(tool.name, subject.calls[tool.name])
    for tool in tools:
        if tool.annotations.read_only and not tool.annotations.open_world:
            return _request(tool.name, _arguments(tool))
    return None


async def slow(plugin: "Plugin", subject: "Subject") -> ExecuteToolRequest | None:
    """Return a call that takes some twenty seconds: as the author says, or of a tool with `seconds`."""
    if subject.slow is not None:
        return _request(*subject.slow)
    for tool in await listed(plugin):
        schema = schema_of(tool)
        properties = schema.get("properties", {})
        for name in SECONDS:
            below = properties.get(name)
            kind = below.get("type") if isinstance(below, dict) else None
            alone = set(schema.get("required", ())) <= {name}
            if tool.annotations.read_only and alone and kind in ("number", "integer"):
                return _request(tool.name, {name: SLOW_S})
    return None


def schema_of(tool: Tool) -> Mapping[str, Any]:
    """Return the schema of a tool's arguments; empty if it cannot be read."""
    return schema_in(tool.parameters_json)


def _arguments(tool: Tool) -> Mapping[str, Any]:
    schema = schema_of(tool)
    made = sample_of(schema)
    arguments = made if isinstance(made, dict) else {}
    for name in SECONDS:
        if name in arguments and not isinstance(arguments[name], str):
            arguments[name] = 0.01 if isinstance(arguments[name], float) or _is_a_number(schema, name) else 0
    return arguments


def _is_a_number(schema: Mapping[str, Any], name: str) -> bool:
    below = schema.get("properties", {}).get(name)
    return isinstance(below, dict) and below.get("type") == "number"


def _request(name: str, arguments: Mapping[str, Any]) -> ExecuteToolRequest:
    return ExecuteToolRequest(tool=name, parameters_json=json.dumps(dict(arguments)), call_id="conformance")
