"""A JSON value of a given shape, filled from what is known; valid first, meaningful where the text allows."""

import re
from collections.abc import Mapping

from hector_llm.local.clues import Clues
from hector_llm.local.schemas import (
    DEEP,
    Json,
    Schema,
    properties_of,
    required_of,
    resolved,
    resolved_type,
    within,
    words_in_name,
)

_ANSWER = {
    "answer",
    "text",
    "response",
    "result",
    "summary",
    "content",
    "message",
    "reply",
    "explanation",
    "description",
    "reason",
    "reasoning",
    "output",
}
_YES = re.compile(r"\b(?:yes|true|correct|right|agree|allowed|approve)\b", re.IGNORECASE)
_FORMATS = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "nobody@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}


def shaped(schema: Schema, question: str, answer: str) -> Json:
    """Return a value that matches `schema`.

    Args:
        schema: JSON Schema; `pattern` and rarer keywords are not looked at.
        question: Where values are looked for.
        answer: What goes where the schema asks for text.
    """
    return _Shaper(schema, question, answer).value(schema, "", 0)


class _Shaper:
    def __init__(self, root: Schema, question: str, answer: str) -> None:
        self._root = root
        self._clues = Clues(question)
        self._answer = answer
        self._used: set[object] = set()

    def value(self, schema: Schema, name: str, depth: int) -> Json:
        schema = resolved(schema, self._root)
        if "const" in schema:
            return _json(schema["const"])
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._one_of(schema)
        kind = resolved_type(schema)
        if kind == "object" or (not kind and depth == 0):
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return bool(schema["default"]) if "default" in schema else bool(_YES.search(self._clues.text))
        if kind == "null":
            return None
        return self._string(schema, name)

    def _object(self, schema: Schema, depth: int) -> Json:
        properties, required = properties_of(schema), required_of(schema)
        # Too deep is a schema that refers to itself: only what must be there.
        names = required if depth > DEEP // 2 else list(dict.fromkeys([*properties, *required]))
        if depth > DEEP:
            return {}
        return {name: self.value(properties.get(name, {"type": "string"}), name, depth + 1) for name in names}

    def _array(self, schema: Schema, name: str, depth: int) -> Json:
        items = schema.get("items")
        items = items if isinstance(items, Mapping) else {"type": "string"}
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", 50))
        if depth > DEEP // 2:
            return [self.value(items, name, depth + 1) for _ in range(least)]
        kind = resolved_type(resolved(items, self._root))
        found: list[Json] = []
        if kind == "string" and "enum" not in resolved(items, self._root):
            texts = self._clues.quoted or (self._clues.listed if len(self._clues.listed) > 1 else [])
            found += (_fitted(text, items) for text in texts[: min(most, 20)])
        while len(found) < max(least, 0 if found or most == 0 else 1):
            found.append(self.value(items, name, depth + 1))
        return found

    def _one_of(self, schema: Schema) -> Json:
        for text in (self._answer, self._clues.text):
            for choice in schema["enum"]:
                if (
                    isinstance(choice, str)
                    and choice
                    and re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", text, re.IGNORECASE)
                ):
                    return choice
        return _json(schema.get("default", schema["enum"][0]))

    def _number(self, schema: Schema, *, whole: bool) -> Json:
        number = next((each for each in self._clues.numbers if ("number", each) not in self._used), None)
        if number is None:
            default = schema.get("default", 0)
            number = float(default) if isinstance(default, int | float) else 0.0
        else:
            self._used.add(("number", number))
        number = within(number, schema)
        return int(number) if whole else number

    def _string(self, schema: Schema, name: str) -> Json:
        words = words_in_name(name)
        form = schema.get("format")
        if isinstance(form, str) and form in _FORMATS:
            found = {"date": self._clues.dates, "email": self._clues.emails, "uri": self._clues.urls}.get(
                form
            )
            return found[0] if found else _FORMATS[form]
        text = Clues(self._answer).said_of(words) or self._clues.said_of(words) if words else ""
        if not text and not set(words) & _ANSWER:
            text = next(
                (each for each in [*self._clues.quoted, *self._clues.names] if each not in self._used), ""
            )
            self._used.add(text)
        return _fitted(text or self._answer, schema)


def _fitted(text: str, schema: Schema) -> str:
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int) and len(text) < least:
        text = text.ljust(least, ".")
    return text[:most] if isinstance(most, int) else text


def _json(value: object) -> Json:
    return value
