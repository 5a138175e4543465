"""Settings of something that Hector did not write: any keys, each with its type, and what is secret."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from hector_config.private import SHORTEST, is_private
from hector_config.secret import Secret


class Settings(dict[str, Any]):
    """A mapping that is handed on as it is written.

    Whoever hands it on has to keep `secrets` out of everything that people see.
    """

    secrets: frozenset[str] = frozenset()
    """The texts in it that came from variables, or that stand under names like `api_key`."""

    def __repr__(self) -> str:
        return f"Settings({', '.join(self)})"

    @classmethod
    def of(cls, values: Mapping[str, Any], filled: Collection[str] = ()) -> "Settings":
        """Return settings; `filled` are the texts of the file that came from variables."""
        made = cls(values)
        made.secrets = frozenset(_secret(made, "", filled))
        return made

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        mapping = core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
        return core_schema.with_info_wrap_validator_function(
            _read, mapping, serialization=core_schema.plain_serializer_function_ser_schema(dict)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "object"}


def _read(value: object, plain: Callable[[object], Any], info: ValidationInfo) -> Settings:
    if isinstance(value, Settings):
        return value
    context = info.context
    filled = context.get("filled") if isinstance(context, Mapping) else None
    return Settings.of(plain(value), filled() if filled is not None else ())


def _secret(value: object, key: str, filled: Collection[str]) -> Iterator[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _secret(inner, str(name), filled)
    elif isinstance(value, list):
        for inner in value:
            yield from _secret(inner, key, filled)
    elif isinstance(value, str) and (is_private(key) or (len(value) >= SHORTEST and value in filled)):
        yield value
