"""Words of which one must stand somewhere, and those that only a later version will take."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LATER = "known, but not available in this version"


class OneOf:
    """Marks a string as one of some words: `Annotated[str, OneOf("openai", later=["gemini", "plugin:*"])]`.

    Unlike with a `Literal`, a word of `later` is not taken for a slip of the pen: it is refused as known, but
    not available yet. A word with a star at its end, "plugin:*", is all that begin so and go on. With
    `decides`, the word says which other keys the mapping has, so that of a wrong one they are not told as
    unknown besides.
    """

    def __init__(
        self, *words: str, later: Collection[str] = (), hint: str = "", decides: bool = False
    ) -> None:
        self.words = words
        self.later = tuple(later)
        self.hint = hint
        self.decides = decides

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        plain = [word for word in self.words if "*" not in word]
        open_ended = [f"^{re.escape(word[:-1])}." for word in self.words if "*" in word]
        patterns = [{"type": "string", "pattern": pattern} for pattern in (*open_ended, r"\$\{")]
        return {"anyOf": [{"enum": plain}, *patterns]}

    def _check(self, word: str) -> str:
        if word in self.words or any(fnmatchcase(word, f"{one[:-1]}?*") for one in self.words if "*" in one):
            return word
        is_later = any(fnmatchcase(word, pattern) for pattern in self.later)
        shown = [one.replace("*", "NAME") for one in self.words if one]
        raise PydanticCustomError(
            "one_of",
            '"{found}" is {verdict}; available: {available}',
            {
                "found": word,
                "verdict": LATER if is_later else "not one of those that there are",
                "available": ", ".join(shown),
                "words": shown,
                "later": [one for one in self.later if "*" not in one],
                "is_later": is_later,
                "decides": self.decides,
                "hint": self.hint,
            },
        )


class OffSchema:
    """What makes a boolean an `Off`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_is_off, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"const": False}, {"type": "string", "pattern": r"\$\{"}]}


def _is_off(value: bool) -> bool:
    if value:
        raise PydanticCustomError("later", LATER, {"hint": "write false, or leave it out"})
    return value


Off = Annotated[bool, OffSchema()]
"""A switch of something that a later version can do: it may be said to be off, and not on."""
