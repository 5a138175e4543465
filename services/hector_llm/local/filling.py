"""Arguments for a tool, taken from what the user said."""

import re
from typing import Any

from hector_llm.local.clues import Clues
from hector_llm.local.schemas import (
    DEEP,
    CannotFillError,
    Json,
    Schema,
    properties_of,
    required_of,
    resolved,
    resolved_type,
    within,
    words_in_name,
)

_PATHS = {"path", "file", "filename", "filepath", "folder", "directory", "dir"}
_ASKED = {"query", "question", "search", "q", "prompt", "request", "topic", "keywords"}
_EXACT = {"command", "code", "script", "sql", "patch", "diff", "old", "new", "replacement"}
_PATTERN = {"pattern", "regex", "regexp", "expression", "needle", "term"}
_SAID = {
    "text",
    "message",
    "input",
    "content",
    "body",
    "note",
    "task",
    "title",
    "description",
    "name",
    "value",
}
_command = re.compile(
    r"^\W*(?:please |can you |could you |now )*"
    r"(?:add|remember|write|note|put|say|echo|send|create|make|set|remind me)(?: me)?"
    r"(?: down| to| that| an?| the| my| new| todos?| to-?dos?| tasks?| notes?| messages?| list| items?"
    r"| on| for)*"
    r"\s*:?\s+",
    re.IGNORECASE,
)
_names_pattern = (
    r"(?:grep(?: for)?|search(?: \w+)? for|for|pattern|matching|contain(?:s|ing)?|mention(?:s|ing)?)"
)

_list = re.compile(
    r"\s+(?:to|on|onto|in|into) (?:my |the |our )?(?:to-?do|task|shopping )\s*(?:list|s)?\W*$", re.IGNORECASE
)


class Filler:
    """Fills the arguments of one call from one text; each clue is used once."""

    def __init__(self, text: str, query: str) -> None:
        self._clues = Clues(text)
        self._query = query
        self._used: set[str] = set()

    def arguments(self, schema: Schema) -> dict[str, Json]:
        """Return an object that matches `schema`.

        Raises:
            CannotFillError: The text does not say what a required value should be.
        """
        found = self._object(resolved(schema, schema), schema, 0)
        return found

    def _object(self, schema: Schema, root: Schema, depth: int) -> dict[str, Json]:
        if depth > DEEP:
            raise CannotFillError
        properties, required = properties_of(schema), required_of(schema)
        filled: dict[str, Json] = {}
        for name in required:
            filled[name] = self._value(name, resolved(properties.get(name, {}), root), root, depth)
        for name, each in properties.items():
            wanted = (
                name not in filled
                and _is_path(name)
                and resolved_type(resolved(each, root)) in ("string", "")
            )
            if wanted and (path := self._next(self._clues.paths)):
                filled[name] = path
        return filled

    def _value(self, name: str, schema: Schema, root: Schema, depth: int) -> Json:
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list):
            return self._one_of(schema)
        kind = resolved_type(schema)
        if kind == "object":
            return self._object(schema, root, depth + 1)
        if kind == "array":
            return self._array(name, schema, root, depth)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            # Adding to what is there is never worse than replacing it.
            return bool(schema.get("default", bool({"merge", "append"} & set(words_in_name(name)))))
        if kind == "null":
            return None
        return self._string(name, schema)

    def _one_of(self, schema: Schema) -> Json:
        text = self._clues.text.lower()
        for choice in schema["enum"]:
            if isinstance(choice, str) and re.search(rf"\b{re.escape(choice.lower())}\b", text):
                return choice
        if "default" in schema:
            return _json(schema["default"])
        # The first is what a list of states or modes begins with: "pending", "auto", "read".
        return _json(schema["enum"][0])

    def _number(self, schema: Schema, *, whole: bool) -> Json:
        for number in self._clues.numbers:
            if str(number) not in self._used:
                self._used.add(str(number))
                number = within(number, schema)
                return int(number) if whole else number
        if "default" in schema:
            return _json(schema["default"])
        raise CannotFillError

    def _array(self, name: str, schema: Schema, root: Schema, depth: int) -> Json:
        items = resolved(schema.get("items") or {}, root)
        texts = Clues(_list.sub("", _command.sub("", self._clues.text))).listed
        found: list[Json] = []
        if resolved_type(items) == "object":
            found += (self._item(items, root, depth, text, place) for place, text in enumerate(texts, 1))
        elif resolved_type(items) in ("integer", "number"):
            found += (int(each) if each.is_integer() else each for each in self._clues.numbers)
        else:
            found += self._clues.paths if _is_path(name) else self._clues.quoted or texts
        if len(found) < int(schema.get("minItems", 1) or 0):
            raise CannotFillError
        most = schema.get("maxItems")
        return found[:most] if isinstance(most, int) else found

    def _item(self, schema: Schema, root: Schema, depth: int, text: str, place: int) -> dict[str, Json]:
        filler = Filler(text, text)
        filled: dict[str, Json] = {}
        for name in required_of(schema) or list(properties_of(schema))[:1]:
            each = resolved(properties_of(schema).get(name, {}), root)
            kind = resolved_type(each)
            if name in ("id", "key", "number"):
                filled[name] = place if kind in ("integer", "number") else str(place)
            elif kind in ("string", "") and "enum" not in each and "const" not in each:
                filled[name] = text
            else:
                filled[name] = filler._value(name, each, root, depth + 1)
        return filled

    def _string(self, name: str, schema: Schema) -> Json:
        clues, words = self._clues, set(words_in_name(name))
        if _is_path(name):
            found = self._next(clues.paths) or self._next(clues.quoted)
        elif words & {"url", "uri", "link", "address"}:
            found = self._next(clues.urls) or self._next(clues.emails)
        elif words & {"email", "mail"}:
            found = self._next(clues.emails)
        elif words & {"date", "day"} or schema.get("format") in ("date", "date-time"):
            found = self._next(clues.dates)
        elif words & _EXACT:
            found = self._next(clues.quoted)
        elif words & _PATTERN:
            found = self._next(clues.quoted) or _behind(clues.text, _names_pattern)
        elif words & _ASKED:
            found = self._query
        else:
            found = clues.said_of(words_in_name(name)) or self._next(clues.quoted)
            if not found and words & _SAID:
                found = _command.sub("", clues.text).strip(" .")
            found = found or self._next(clues.names) or self._next(clues.objects)
        if found:
            return found
        if "default" in schema:
            return _json(schema["default"])
        raise CannotFillError

    def _next(self, found: list[str]) -> str:
        for each in found:
            if each not in self._used:
                self._used.add(each)
                return each
        return ""


def _is_path(name: str) -> bool:
    return bool(set(words_in_name(name)) & _PATHS)


def _behind(text: str, word: str) -> str:
    found = re.search(
        rf"\b{word}\s+(?:the )?(?:word |text |string |pattern )?([^\s,;:!?]+)", text, re.IGNORECASE
    )
    return found[1].rstrip(".") if found else ""


def _json(value: Any) -> Json:
    found: Json = value
    return found
