"""What becomes of a call whose process died in the middle of it, as `tools.<name>.after_crash` says."""

from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

WORDS = ("replay", "ask", "fail")
VERIFY = "verify_with"
_ALLOWED = 'replay, ask, fail, or {verify_with: "the name of a tool"}'


class _AfterCrashSchema:
    """A word, or a mapping that names a tool; in here `verify_with:NAME`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_read, core_schema.str_schema())

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        names = {"type": "string", "pattern": rf"^{VERIFY}:|\$\{{"}
        tool = {
            "type": "object",
            "properties": {VERIFY: {"type": "string", "minLength": 1}},
            "required": [VERIFY],
            "additionalProperties": False,
        }
        return {"anyOf": [{"enum": list(WORDS)}, names, tool]}


def _read(value: object) -> str:
    if isinstance(value, dict) and list(value) == [VERIFY] and isinstance(value[VERIFY], str):
        value = f"{VERIFY}:{value[VERIFY]}"
    if isinstance(value, str):
        word, colon, tool = value.partition(":")
        if value in WORDS or (word == VERIFY and colon and tool.strip()):
            return f"{word}:{tool.strip()}" if colon else value
    raise PydanticCustomError("after_crash", _ALLOWED)


AfterCrash = Annotated[str, _AfterCrashSchema()]
"""One of WORDS, or `verify_with:` and the name of a tool."""
