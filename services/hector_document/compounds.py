"""Words inside of words: whoever asks how to start finds the page called "Quickstart"."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"[^\W\d_]{3,64}")
_ENDINGS = ("s", "ed", "ing", "en", "n", "e")
_SHORTEST_COMPOUND, _SHORTEST_PART, _SHORTEST_REST = 8, 4, 3


def vocabulary(text: str) -> frozenset[str]:
    """Return the words of a text, and what is left of them without a common ending."""
    words = {word.lower() for word in _WORD.findall(text)}
    stems = {word.removesuffix(ending) for word in words for ending in _ENDINGS}
    return frozenset(word for word in words | stems if len(word) >= _SHORTEST_PART)


def parts_of(heading: str, known: frozenset[str]) -> list[str]:
    """Return the parts of the compounds in a heading, each once.

    A compound ends in a word that its document also uses alone: only there is it sure to be one.
    """
    parts: dict[str, None] = {}
    for word in _WORD.findall(heading):
        if len(word) >= _SHORTEST_COMPOUND:
            parts |= dict.fromkeys(_parts(word.lower(), known))
    return list(parts)


def _parts(word: str, known: frozenset[str]) -> Iterator[str]:
    for at in range(_SHORTEST_REST, len(word) - _SHORTEST_PART + 1):
        if word[at:] in known:
            yield from (word[:at], word[at:])
            return
