"""Paths that mean the same wherever the process was started."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def project_dir_for(config_file: Path) -> Path:
    """Return the project folder of a config file: its own, or the one that holds its `.hector/`."""
    folder = config_file.absolute().parent
    return folder.parent if folder.name == ".hector" else folder


def project_dir_of(info: ValidationInfo) -> Path | None:
    """Return the folder that relative paths belong to, as told to a validator; None outside the loader."""
    context = info.context
    found = context.get("project_dir") if isinstance(context, Mapping) else None
    return found if isinstance(found, Path) else None


def _resolve(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise PydanticCustomError("path", "a path is needed here")
    path = Path(value)
    if path.parts[:1] == ("~",):
        try:
            path = Path.home().joinpath(*path.parts[1:])
        except RuntimeError:
            raise PydanticCustomError("homeless", "~ means the home folder, and this user has none") from None
    folder = project_dir_of(info)
    # Without a project folder the path stays relative: it means the working directory, and a default made
    # while modules are imported can still be placed when a file is loaded.
    return path if folder is None else folder / path


class _ProjectPathSchema:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _resolve, serialization=core_schema.to_string_ser_schema()
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "format": "path"}


ProjectPath = Annotated[Path, _ProjectPathSchema()]
"""A path; a relative one belongs to the project folder, a default included. `~` is the home folder."""
