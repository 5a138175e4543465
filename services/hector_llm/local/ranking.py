"""Which units answer a question: by the words they share, the rarer the better."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hector_llm.local.units import Unit
from hector_llm.local.words import RELATED, stems_of, unique, words_of

FITS = 0.34
"""Share of a question's weight that a unit must cover to count as an answer at all."""

_what_is = re.compile(
    r"^\W*(?:so |and |please |hey |hi |ok )*(?:can you |could you )?(?:tell me |explain |describe |define )?"
    r"(?:what(?:'s| is| are| does)|who(?:'s| is| are)|about|was ist)\s+(?:an? |the )?(.+?)"
    r"(?:\s+(?:mean|do|stand for))?\W*$",
    re.IGNORECASE,
)
_points_back = re.compile(
    r"(?:then|this|that|it|they|these|those|here|there|also|but|and|so)\b", re.IGNORECASE
)
_how = re.compile(
    r"\bhow (?:do|can|should|would|to|does one|must)\b|\bcommands?\b|\bsteps\b|\bwie\b", re.IGNORECASE
)

_argument = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|\S+://\S+|(?<!\S)/\S+")
"""What commands are given is an example, addresses and paths too; what they are called is the answer."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A unit and how well it answers."""

    unit: Unit
    score: float
    covers: frozenset[str]
    """Words of the question that it, or the heading above it, has."""


def ranked(question: str, units: Sequence[Unit], context: str = "") -> list[Ranked]:
    """Return the units that answer a question, best first; none if none does.

    Args:
        question: In the user's words.
        units: What there is to choose from.
        context: The question before, for one that only makes sense after it.
    """
    asked = unique(stems_of(question))
    wanted = asked
    if len(asked) < 2 and context and leans_on_context(question):
        wanted = unique(asked + stems_of(context))
    if not wanted or not units:
        return []
    weights = _weights(wanted, units, set(asked))
    subject = _subject_of(question)
    found = [_judged(unit, weights, subject, bool(_how.search(question))) for unit in units]
    # What was asked before only helps: something of what is asked now must be there.
    fitting = [each for each in found if each.score >= FITS and (each.covers & set(asked) or not asked)]
    return sorted(fitting, key=lambda each: (-each.score, each.unit.passage, each.unit.place))


def _weights(wanted: Sequence[str], units: Sequence[Unit], asked: set[str]) -> dict[str, float]:
    holding = Counter[str]()
    for unit in units:
        holding.update((_stems(unit.whole) | _stems(unit.heading)) & set(wanted))
    # Never zero: where every unit has the word, it still tells an answer from none.
    weights = {
        word: math.log(1 + len(units) / max(1.5, 0.5 + holding[word])) * (1.0 if word in asked else 0.5)
        for word in wanted
    }
    total = sum(weights.values())
    return {word: weight / total for word, weight in weights.items()}


def _judged(unit: Unit, weights: dict[str, float], subject: list[str], how: bool) -> Ranked:
    text = _argument.sub(" ", unit.whole) if unit.kind == "code" else unit.whole
    body, above = _stems(text), _stems(unit.heading)
    score, covers = 0.0, set[str]()
    for word, weight in weights.items():
        related = RELATED.get(word, frozenset())
        if word in body:
            share = 1.0
        elif word in above:
            share = 0.7
        elif related & body:
            share = 0.6
        elif related & above:
            share = 0.4
        else:
            continue
        score += weight * share
        covers.add(word)
    near = set(weights) | {word for each in weights for word in RELATED.get(each, ())}
    itself, announced = bool(body & near), bool((above | _stems(unit.lead)) & near)
    if not itself:
        score *= 0.6  # only its heading fits
    if score:
        score += _form(unit, subject, how=how and itself, announced=announced) - min(
            0.15, 0.02 * unit.passage
        )
    return Ranked(unit, score, frozenset(covers))


@lru_cache(maxsize=4096)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stems_of(text))


def _form(unit: Unit, subject: list[str], *, how: bool, announced: bool) -> float:
    """Return what a unit deserves for how it is put, whatever it says.

    Args:
        unit: The unit.
        subject: What is to be defined, if anything.
        how: Somebody asks how to do something, and the unit is about that.
        announced: What stands above the unit says that it is about that.
    """
    bonus = 0.0
    if subject:
        bonus += _defines(unit, subject)
    if how and (unit.kind == "code" or (unit.kind == "steps" and announced)):
        bonus += 0.4 - min(0.25, 0.01 * len(unit.text.split()))  # the shortest way first
    if how and "`" in unit.text and unit.kind in ("sentence", "item"):
        bonus += 0.1
    if unit.kind in ("sentence", "item"):
        length = len(unit.text.split())
        if length < 4:
            bonus -= 0.25
        bonus -= min(0.3, 0.005 * max(0, length - 40))
        if unit.text[:1].islower() or unit.text.startswith("("):
            bonus -= 0.2  # the second half of something
        if _points_back.match(unit.text):
            bonus -= 0.1
        if unit.text.endswith((":", "?")):
            bonus -= 0.3  # it announces what it does not say
        if unit.text.count("](") > 1:
            bonus -= 0.2  # a list of links
    return bonus


def _defines(unit: Unit, subject: list[str]) -> float:
    if unit.kind == "code":
        return -0.3
    begins = unique(words_of(re.sub(r"[*_`]", "", unit.text)))[: len(subject) + 3]
    begins = [word for word in begins if word not in ("a", "an", "the")]
    if begins[: len(subject)] == subject:
        rest = begins[len(subject) : len(subject) + 1]
        return 0.6 if rest and rest[0] in ("is", "are", "means", "runs", "does", "ist") else 0.2
    last = words_of(unit.heading.rpartition(" / ")[2])
    return 0.3 if unit.opens and unit.kind == "sentence" and set(subject) <= set(last) else 0.0


def _subject_of(question: str) -> list[str]:
    """Return the words of the thing that is to be defined; none if the question asks for something else."""
    found = _what_is.match(question.strip())
    words = words_of(found[1]) if found else []
    return words if 0 < len(words) <= 4 else []


def leans_on_context(question: str) -> bool:
    """Tell whether a question only makes sense after the one before."""
    words = words_of(question)
    return len(words) <= 3 or bool(
        {"it", "its", "this", "that", "they", "them", "there", "more", "else"} & set(words)
    )
