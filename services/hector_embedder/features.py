"""What the local embedder sees in a text: words, pairs of words and pieces of words, as stable hashes.

The hashes are part of every stored index: whoever changes anything here raises `VERSION`.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from math import log

VERSION = 1

Weighted = tuple[tuple[int, float], ...]
"""Pairs of a place in the vector and what is added there."""

_WORD = re.compile(r"[^\W_]+|[^\w\s]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PIECES = (3, 4, 5)
_LONGEST_IN_PIECES = 64
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


def weighed(text: str, dimension: int) -> list[float]:
    """Return the sum of what is in a text, feature by feature; repetition counts by its logarithm."""
    sums = [0.0] * dimension
    words = words_of(text)
    for word, times in Counter(words).items():
        emphasis = 1.0 + log(times)
        # Keys that are endless, and never seen again, do not belong in a cache.
        placed = _placed if len(word) <= _LONGEST_IN_PIECES else _placed.__wrapped__
        for place, weight in placed(word, dimension):
            sums[place] += weight * emphasis
    meaningful = [word for word in words if word not in _COMMON and word[0].isalnum()]
    for (first, second), times in Counter(pairwise(meaningful)).items():
        place, sign = _place(_hash(f"2{first} {second}"), dimension)
        sums[place] += sign * _PAIR_WEIGHT * (1.0 + log(times))
    return sums


def words_of(text: str) -> list[str]:
    """Return the words and signs of a text in order, case folded, `camelCase` taken apart."""
    plain = unicodedata.normalize("NFKC", _CAMEL.sub(" ", text)).casefold()
    return _WORD.findall(plain)


@lru_cache(maxsize=32_768)
def _placed(word: str, dimension: int) -> Weighted:
    if not word[0].isalnum():
        place, sign = _place(_hash(f"1{word}"), dimension)
        return ((place, sign * _SIGN_WEIGHT),)
    weight = _COMMON_WEIGHT if word in _COMMON else 1.0
    place, sign = _place(_hash(f"1{word}"), dimension)
    whole = (place, sign * weight)
    if weight < 1.0 or len(word) > _LONGEST_IN_PIECES:
        return (whole,)
    marked = f"<{word}>"
    pieces = [marked[at : at + size] for size in _PIECES for at in range(len(marked) - size + 1)]
    # Together the pieces weigh as much as the word itself, however long it is.
    share = weight / max(len(pieces), 1) ** 0.5
    placed = (_place(_hash(f"3{piece}"), dimension) for piece in pieces)
    return (whole, *((place, sign * share) for place, sign in placed))


def _place(hashed: int, dimension: int) -> tuple[int, float]:
    # The top bit is the sign: features that meet in one place cancel out as often as they add up.
    return (hashed & 0x7FFF_FFFF_FFFF_FFFF) % dimension, 1.0 if hashed >> 63 else -1.0


def _hash(feature: str) -> int:
    return int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "little")
