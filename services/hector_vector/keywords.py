"""What keyword search looks at: the words of a text, identifiers whole and in pieces, and safe queries.

The words are part of every stored index: whoever changes `words_of` raises `VERSION`.
"""

import re
from collections.abc import Iterator

VERSION = 1
MOST_WORDS = 64
"""Different words of a query that are looked for."""

_RUN = re.compile(r"[^\W_]+(?:_+[^\W_]+)*")
_SEAM = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Scripts without spaces between words are looked up by pairs of characters.
_DENSE = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f\U00020000-\U0002fa1f]+"
)
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """a about after all also am an and any are as at be because been before but by can could did do does
        for from had has have he her him his how i if in into is it its just may me more most must my no not
        of on once one only or other our out over please s she should so some such t tell than that the their
        them then there these they this those to too under up us was we were what when where which while who
        why will with would you your""",
    )
)


def words_of(text: str) -> str:
    """Return the words of a text, separated by spaces, as they go into the index."""
    return " ".join(_words(text))


def queries_of(text: str) -> list[str]:
    """Return an FTS5 query for each different word of a text.

    Nothing of the text is syntax: every word is quoted, and has letters and digits only. Words like "the" are
    left out unless there is nothing else.
    """
    words = dict.fromkeys(word.lower() for word in _words(text))
    meaningful = [word for word in words if word not in _COMMON] or list(words)
    return [f'"{word}"' for word in meaningful[:MOST_WORDS]]


def _words(text: str) -> Iterator[str]:
    for run in _RUN.findall(text):
        if _DENSE.search(run):
            yield from _pairs(run)
            continue
        pieces = _SEAM.split(run)
        if len(pieces) > 1:
            # `max_file_size` is found as a whole before anything that has only one of its pieces.
            yield run.replace("_", "")
            yield from pieces
        else:
            yield run


def _pairs(run: str) -> Iterator[str]:
    at = 0
    for dense in _DENSE.finditer(run):
        yield from _RUN.findall(run[at : dense.start()])
        found = dense[0]
        yield from (found[i : i + 2] for i in range(max(1, len(found) - 1)))
        at = dense.end()
    yield from _RUN.findall(run[at:])
