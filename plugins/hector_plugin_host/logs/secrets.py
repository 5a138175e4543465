"""Takes secrets out of what a plugin prints, in the spellings in which programs print them."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 4
"""Characters. What is shorter would be found everywhere, and is no secret."""
SHORTEST_LINE = 12
"""Characters of a line of a secret with several, as keys have, from which on it is hidden by itself."""
DEEPEST = 8
_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_LINE_BREAK = re.compile(r"[\r\n]+[ \t]*")
"""With what indents the next line."""


class Secrets:
    """A plugin's secrets, in all spellings."""

    def __init__(self, values: Iterable[str]) -> None:
        spellings: set[str] = set()
        for value in values:
            if len(value) >= SHORTEST:
                spellings |= _spellings(value)
            lines = value.splitlines()
            if len(lines) > 1:
                spellings |= {line.strip() for line in lines if len(line.strip()) >= SHORTEST_LINE}
        ordered = sorted(spellings, key=len, reverse=True)
        self._pattern = re.compile(_one_of(ordered)) if ordered else None
        self.longest_bytes = max((len(spelling.encode(errors="replace")) for spelling in ordered), default=0)
        """How much of a text has to be seen at once to know that none is in it."""

    def hidden(self, text: str) -> str:
        """Return a text without them."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(HIDDEN, text)
        return self._hidden_over_lines(text, self._pattern) if "\n" in text else text

    def hidden_in(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return facts without them, however deep they stand."""
        return {self.hidden(name): self._of(value, DEEPEST) for name, value in fields.items()}

    def _hidden_over_lines(self, text: str, pattern: re.Pattern[str]) -> str:
        """Return a text without those that a line break divides, as in base64 that was wrapped."""
        joined = _LINE_BREAK.sub("", text)
        if not pattern.search(joined):
            return text
        places: list[int] = []
        end = 0
        for line_break in _LINE_BREAK.finditer(text):
            places += range(end, line_break.start())
            end = line_break.end()
        places += range(end, len(text))
        kept, end = "", 0
        for found in pattern.finditer(joined):
            kept += text[end : places[found.start()]] + HIDDEN
            end = places[found.end() - 1] + 1
        return kept + text[end:]

    def _of(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.hidden(value)
        if isinstance(value, bool | None):
            return value
        if isinstance(value, int | float):
            return self.hidden(text) if self._pattern and self._pattern.search(text := str(value)) else value
        if not depth:
            return "…"
        if isinstance(value, list):
            return [self._of(item, depth - 1) for item in value]
        return {self.hidden(str(name)): self._of(item, depth - 1) for name, item in value.items()}


def _one_of(texts: Iterable[str], depth: int = 2) -> str:
    """Return a pattern for any of some texts, earlier ones first.

    Those that begin alike stand together, two characters deep: else each would be tried at each place.
    """
    if not depth:
        return "|".join(map(re.escape, texts))
    return "|".join(
        f"{re.escape(first)}(?:{_one_of(rest, depth - 1)})" for first, rest in _by_first(texts).items()
    )


def _by_first(texts: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(text[0], []).append(text[1:])
    return found


def _spellings(value: str) -> set[str]:
    data = value.encode(errors="replace")
    plain = base64.b64encode(data).decode()
    once = {value, repr(value)[1:-1], *_in_json(value)}
    return {
        *once,
        *(spelling for inner in once for spelling in _in_json(inner)),  # JSON that is text within JSON
        quote(value, safe="", errors="replace"),
        quote_plus(value, errors="replace"),
        value.translate(_IN_HTML),
        data.hex(),
        data.hex().upper(),
        plain,
        plain.rstrip("="),
        *(spelling for inner in once for spelling in _in_base64(inner.encode(errors="replace"))),
    }


def _in_json(text: str) -> set[str]:
    usual = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return usual | {spelling.replace("/", "\\/") for spelling in usual}


def _in_base64(data: bytes) -> set[str]:
    """Return what is found of a secret in base64 of anything that holds it, as "user:secret".

    Three bytes are four characters: where it stands among three decides how it looks, and what is before and
    behind it has a part in its first and its last character, which therefore stay.
    """
    found: set[str] = set()
    for before, shared in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(bytes(before) + data).decode()
        own = whole[shared : (before + len(data)) * 8 // 6]
        if len(own) >= SHORTEST:
            found |= {own, own.replace("+", "-").replace("/", "_")}
    return found
