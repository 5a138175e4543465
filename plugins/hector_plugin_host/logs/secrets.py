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
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None
        self.longest_bytes = max((len(spelling.encode(errors="replace")) for spelling in ordered), default=0)
        """How much of a text has to be seen at once to know that none is in it."""

    def hidden(self, text: str) -> str:
        """Return a text without them."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def hidden_in(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return facts without them, however deep they stand."""
        return {self.hidden(name): self._of(value, DEEPEST) for name, value in fields.items()}

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


def _spellings(value: str) -> set[str]:
    plain = base64.b64encode(value.encode(errors="replace")).decode()
    once = {value, repr(value)[1:-1], *_in_json(value)}
    return {
        *once,
        *(spelling for inner in once for spelling in _in_json(inner)),  # JSON that is text within JSON
        quote(value, safe="", errors="replace"),
        quote_plus(value, errors="replace"),
        plain,
        plain.rstrip("="),
    }


def _in_json(text: str) -> set[str]:
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
