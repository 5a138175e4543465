"""What the local embedder sees in a text: words, pairs of words and pieces of words, as stable hashes.

The hashes are part of every stored index: whoever changes anything here raises `VERSION`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from math import log

VERSION = 1

Weighted = tuple[tuple[int, float], ...]
"""Pairs of a 64 bit hash and a weight."""

_WORD = re.compile(r"[^\W_]+|[^\w\s]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PIECES = (3, 4, 5)
_PAIR_WEIGHT = 0.4
_COMMON_WEIGHT = 0.1
_SIGN_WEIGHT = 0.05
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """a about after all also am an and any are as at be because been before but by can could did do does
        for from had has have he her him his how i if in into is it its just may me more most must my no not
        of on once one only or other our out over she should so some such than that the their them then there
        these they this those to too under up us was we were what when where which while who why will with
        would you your""",
    )
)


def features(text: str) -> Iterator[tuple[int, float]]:
    """Return what is in a text, with weights; repetition counts by its logarithm."""
    words = words_of(text)
    for word, times in Counter(words).items():
        emphasis = 1.0 + log(times)
        for hashed, weight in _features_of(word):
            yield hashed, weight * emphasis
    meaningful = [word for word in words if word not in _COMMON and word[0].isalnum()]
    for (first, second), times in Counter(pairwise(meaningful)).items():
        yield _hash(f"2{first} {second}"), _PAIR_WEIGHT * (1.0 + log(times))


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text in order, case folded, `camelCase` taken apart."""
    plain = unicodedata.normalize("NFKC", _CAMEL.sub(" ", text)).casefold()
    return _WORD.findall(plain)


@lru_cache(maxsize=32_768)
def _features_of(word: str) -> Weighted:
    if not word[0].isalnum():
        return ((_hash(f"1{word}"), _SIGN_WEIGHT),)
    weight = _COMMON_WEIGHT if word in _COMMON else 1.0
    whole = (_hash(f"1{word}"), weight)
    if weight < 1.0 or len(word) > 64:
        return (whole,)
    marked = f"<{word}>"
    pieces = [marked[at : at + size] for size in _PIECES for at in range(len(marked) - size + 1)]
    # Together the pieces weigh as much as the word itself, however long it is.
    share = weight / max(len(pieces), 1) ** 0.5
    return (whole, *((_hash(f"3{piece}"), share) for piece in pieces))


def _hash(feature: str) -> int:
    return int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "little")
