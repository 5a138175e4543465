"""Words, brought to a form in which a question and a document can meet."""
# ruff: noqa: RUF001  apostrophes as people type them

import re
from collections.abc import Iterable
from functools import lru_cache

_word = re.compile(r"\w+(?:[-.'’]\w+)*").findall

_STOP_LINES = """
about above after again all also am an and any are as at be because been before being below between both
but by can cannot could did do does doing during each else ever few for from further get gets give given
go goes had has have having he her here hers him his how i if in into is it its itself just know let like
may me might more most much must my myself need no nor not of off on once one only or other our ours out
over own please same shall she should so some something such tell than thank thanks that the their them
then there these they thing things this those through to too under until up us use used using very want
was we were what when where which while who whom whose why will with without would yes yet you your yours
explain describe show list mean means work works exactly really happen happens a der die das ein eine und
oder ist sind was wie wo wer warum im zu mit von für say says long many often
"""

STOP = frozenset(_STOP_LINES.split())
"""Words that say how something is asked, and not what."""

_SAME = (
    "start run serve launch boot begin",
    "stop quit exit shutdown end terminate",
    "install setup pip installation",
    "configure config configuration setting settings set",
    "delete remove erase drop",
    "create add make new write",
    "change edit modify update",
    "error failure fail problem issue",
    "key token secret credential password",
    "model llm",
    "document doc file",
    "database storage store",
    "call ask request invoke",
    "test check verify",
    "folder directory",
    "restart resume recover survive",
    "authentication auth login authenticate authorization",
    "license licence",
    "requirement require prerequisite",
    "fast speed quick performance latency slow",
    "keep store save persist",
)


_PAST = (
    "lose lost, run ran, keep kept, send sent, build built, find found, write written wrote, "
    "choose chose chosen, hold held, begin began begun, break broke broken, make made, "
    "take took taken, leave left, pay paid"
)
_IRREGULAR = {form: verb for verb, *forms in map(str.split, _PAST.split(",")) for form in forms}


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower case; compounds count whole and by their parts."""
    found: list[str] = []
    for word in _word(text.lower().replace("_", "-")):
        found.append(word)
        if "-" in word or "." in word:
            found.extend(part for part in re.split(r"[-.]", word) if len(part) > 1)
    return found


def stems_of(text: str) -> list[str]:
    """Return the stems of all words of a text that say something."""
    return [stem(word) for word in words_of(text) if word not in STOP]


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """Return a word without its endings, as far as that is safe: services and serving stay apart."""
    word = word.replace("’", "'").removesuffix("'s")
    word = _IRREGULAR.get(word, word)
    if len(word) <= 3 or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]
    for ending, least in (("ments", 7), ("ment", 7), ("ing", 6), ("edly", 7), ("ed", 5), ("ly", 6)):
        if word.endswith(ending) and len(word) >= least:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _related() -> dict[str, frozenset[str]]:
    groups = [frozenset(map(stem, line.split())) for line in _SAME]
    return {word: group - {word} for group in groups for word in group}


RELATED = _related()
"""Stems that people use for the same thing; a document may say the one where a question says the other."""


def unique(words: Iterable[str]) -> list[str]:
    """Return each word once, in the order of first appearance."""
    return list(dict.fromkeys(words))
