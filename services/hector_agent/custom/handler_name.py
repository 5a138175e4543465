"""The name of a handler, as a config has it: a module and what in it, and the folder to look in first."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from hector_config import project_dir_of

_PATTERN = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"


@dataclass(frozen=True, slots=True)
class Named:
    """A handler by its name; whether it is there is seen when it is loaded."""

    module: str
    attribute: str
    folder: Path | None = None
    """The project folder: modules in it win. None: only what Python finds by itself."""

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"


def _read(value: object, info: ValidationInfo) -> Named:
    if isinstance(value, Named):
        return value
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        raise PydanticCustomError(
            "handler", 'a module and a function in it are needed here, as "package.module:name"'
        )
    module, _, attribute = value.partition(":")
    return Named(module, attribute, project_dir_of(info))


class _Schema:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _read, serialization=core_schema.to_string_ser_schema()
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^{_PATTERN}$|\$\{{"}


HandlerName = Annotated[Named, _Schema()]
"""`package.module:name`; the module is looked for in the project folder first."""
