"""The body of a request: conversation, tools and options as chat completions want them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from hector.llm.v1 import (
    CallToolRequest,
    GenerateTextRequest,
    GenerationOptions,
    StreamTextRequest,
    ToolChoice,
)
from hector_llm.config import LLMConfig
from hector_llm.errors import ModelRefused
from hector_llm.openai.dialect import Dialect
from hector_llm.openai.messages import Wire, wire_messages

Asked = GenerateTextRequest | StreamTextRequest | CallToolRequest


def body_of(
    asked: Asked, config: LLMConfig, dialect: Dialect, *, stream: bool, must_call: bool = False
) -> bytes:
    """Return the JSON body of a request.

    Args:
        asked: What our caller wants; what it leaves open is filled from `config`.
        config: The configured model.
        dialect: What this server has refused before.
        stream: Answer piece by piece.
        must_call: The answer must ask for a tool, whatever the options say.

    Raises:
        ModelRefused: A schema, an option or a part of the conversation cannot be expressed.
    """
    options = asked.options
    body: Wire = {
        "model": asked.model or config.model_name,
        "messages": wire_messages(asked.prompt, asked.messages, config.max_tool_output_length),
    }
    if stream:
        body["stream"] = True
        if dialect.usage_in_stream:
            body["stream_options"] = {"include_usage": True}
    _add_sampling(body, options, config, dialect)
    if asked.tools:
        _add_tools(body, asked, must_call)
    if options.response_schema_json:
        body["response_format"] = _response_format(options.response_schema_json)
    if options.provider_options_json:
        body |= _parsed(options.provider_options_json, "provider_options_json")
    return orjson.dumps(body)


def _add_sampling(body: Wire, options: GenerationOptions, config: LLMConfig, dialect: Dialect) -> None:
    if options.HasField("temperature"):
        body["temperature"] = options.temperature
    elif "temperature" in config.model_fields_set or dialect.default_temperature:
        body["temperature"] = config.temperature
    top_p = options.top_p if options.HasField("top_p") else config.top_p
    if top_p is not None:
        body["top_p"] = top_p
    seed = options.seed if options.HasField("seed") else config.seed
    if seed is not None:
        body["seed"] = seed
    stop = list(options.stop) or config.stop
    if stop:
        body["stop"] = stop
    asked_budget = options.HasField("thinking_budget_tokens")
    budget = options.thinking_budget_tokens if asked_budget else config.thinking_budget_tokens
    if budget > 0:
        body["reasoning_effort"] = "low" if budget <= 1024 else "medium" if budget <= 8192 else "high"
    text_tokens = options.max_tokens if options.HasField("max_tokens") else config.text_tokens
    body[dialect.limit_key] = text_tokens + max(0, budget)


def _add_tools(body: Wire, asked: Asked, must_call: bool) -> None:
    choice, tools = asked.options.tool_choice, list(asked.tools)
    if choice.mode == ToolChoice.MODE_NAMED and choice.names:
        tools = [tool for tool in tools if tool.name in choice.names]
        if not tools:
            raise ModelRefused(f"tool_choice names no tool that is offered: {', '.join(choice.names)}")
    body["tools"] = [_function(tool.name, tool.description, tool.parameters_json) for tool in tools]
    if choice.mode == ToolChoice.MODE_NAMED and len(tools) == 1:
        body["tool_choice"] = {"type": "function", "function": {"name": tools[0].name}}
    elif must_call or choice.mode in (ToolChoice.MODE_REQUIRED, ToolChoice.MODE_NAMED):
        body["tool_choice"] = "required"
    elif choice.mode == ToolChoice.MODE_NONE:
        body["tool_choice"] = "none"
    if choice.disable_parallel:
        body["parallel_tool_calls"] = False


@lru_cache(maxsize=1024)
def _function(name: str, description: str, parameters: str) -> orjson.Fragment:
    """Return a tool ready to be written; the same few are offered again and again."""
    schema = _parsed(parameters, f"the parameters of {name}") if parameters else None
    function: Wire = {"name": name, "description": description}
    # A tool without arguments is still a function of an object; some servers insist.
    function["parameters"] = schema or {"type": "object", "properties": {}}
    return orjson.Fragment(orjson.dumps({"type": "function", "function": function}))


@lru_cache(maxsize=64)
def _response_format(text: str) -> orjson.Fragment:
    schema = _parsed(text, "response_schema_json")
    title = schema.get("title")
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", title)[:64] if isinstance(title, str) and title else "response"
    wanted = {"name": name, "schema": schema, "strict": _is_strict(schema)}
    return orjson.Fragment(orjson.dumps({"type": "json_schema", "json_schema": wanted}))


def _is_strict(schema: Any) -> bool:
    """Tell whether OpenAI takes a schema as strict: every object closed, and all its properties required."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        names = set(schema.get("properties", {}))
        if schema.get("additionalProperties") is not False or names != set(schema.get("required", [])):
            return False
    return all(map(_is_strict, schema.values()))


def _parsed(text: str, what: str) -> Mapping[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ModelRefused(f"{what}: not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ModelRefused(f"{what}: a JSON object is needed")
    return value
