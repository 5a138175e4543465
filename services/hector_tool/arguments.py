"""What a model says to a tool: one pydantic model is the schema it sees and the check it meets."""

import difflib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from hector_tool.errors import ArgumentsInvalid


class Arguments(BaseModel):
    """The arguments of one tool. Their descriptions are read by models: `Field(description=…)`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


A = TypeVar("A", bound=Arguments)


def parsed(tool: str, arguments: type[A], text: str) -> A:
    """Return what a model wrote, checked; a number in quotes counts as a number.

    Raises:
        ArgumentsInvalid: One sentence per argument: which, what was found, what is allowed.
    """
    try:
        return arguments.model_validate_json(text or "{}")
    except ValidationError as error:
        allowed = list(arguments.model_fields)
        problems = [_sentence(detail, allowed) for detail in error.errors(include_url=False)]
        raise ArgumentsInvalid(tool, problems) from error


def schema_of(arguments: type[Arguments]) -> dict[str, Any]:
    """Return the JSON Schema that models see: flat, without titles, references or null."""
    schema = arguments.model_json_schema()
    schema.pop("description", None)
    plain: dict[str, Any] = _plain(schema, schema.pop("$defs", {}))
    return plain


def _sentence(detail: ErrorDetails, allowed: list[str]) -> str:
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in detail["loc"])[1:]
    match detail["type"]:
        case "json_invalid":
            return f"the arguments are not JSON ({detail['ctx']['error']})"
        case "missing":
            return f'argument "{where}" is missing'
        case "extra_forbidden" if len(detail["loc"]) == 1:
            near = difflib.get_close_matches(where, allowed, 1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            return f'there is no argument "{where}" (allowed: {", ".join(allowed) or "none"}{hint})'
        case "extra_forbidden":
            return f'"{where}" is not known'
        case "value_error":
            return f"{where}: {detail['ctx']['error']}" if where else str(detail["ctx"]["error"])
    found = json.dumps(detail["input"], ensure_ascii=False, default=str)
    if not where:
        return f"the arguments must be a JSON object (found {found[:80]})"
    return f'argument "{where}": {_lowered(detail["msg"])} (found {found[:80]})'


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _plain(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _plain({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    kinds = [kind for kind in node.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
        return _plain({**kinds[0], **rest}, definitions)
    plain: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            plain[key] = {name: _plain(schema, definitions) for name, schema in value.items()}
        elif key != "title":
            plain[key] = _plain(value, definitions)
    return plain
