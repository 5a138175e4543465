"""The JSON Schema of the config file. Made when asked for: no server needs it to run."""

from functools import cache
from typing import Any

ID = "urn:hector:schema:config:2"
"""The same for every version of Hector that reads this version of the format."""


@cache
def schema() -> dict[str, Any]:
    """Return the schema; it takes the files that `load_config` takes, except for what no schema can say.

    That is: duplicate keys and other broken YAML, names that must be declared, variables that must be set,
    and values that do not go together.
    """
    from hector_config import json_schema

    from .aliases import ALIASES
    from .config import Config

    made = json_schema(Config, ALIASES)
    dialect = made.pop("$schema")
    return {"$schema": dialect, "$id": ID, **made, "title": "Hector's config file"}
