"""Holds a plugin's settings to the JSON Schema that it gives, before it sees them."""

import json
from typing import Any

MOST = 20
"""Problems that are told at once."""


class UnusableSchema(Exception):
    """What the plugin gives is no JSON Schema; the message says why."""


def problems(schema_json: str, config_json: str) -> list[str]:
    """Return what is wrong with settings, as "/port: 'x' is not of type 'integer'"; no values of secrets.

    Raises:
        UnusableSchema: The schema itself is wrong.
    """
    from jsonschema import Draft202012Validator  # a tenth of a second, for plugins that bring a schema
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    try:
        schema: Any = json.loads(schema_json)
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
    except (ValueError, SchemaError, RecursionError) as error:
        raise UnusableSchema(str(error).partition("\n")[0]) from None
    found = sorted(kind(schema).iter_errors(json.loads(config_json or "{}")), key=lambda one: list(one.path))
    return [_told(one) for one in found[:MOST]]


def _told(error: Any) -> str:
    pointer = "".join(f"/{step}" for step in error.absolute_path) or "/"
    # The value itself may be a secret; the schema's own words are not.
    if isinstance(error.schema, dict) and error.schema.get("writeOnly"):
        return f"{pointer}: is not what the plugin's schema wants ({error.validator})"
    return f"{pointer}: {error.message}"
