"""Small talk, and honesty about what the offline model is."""

import re

from hector_llm.local.words import words_of

NOTE = (
    "(I am Hector's offline model, which quotes and looks things up; for a real one set OPENAI_API_KEY, "
    "or `llms.default.provider` in the config.)"
)
"""Said once per conversation."""
_MARK = "offline model"

_HELLO = "hi hello hey hallo moin servus howdy greetings morning afternoon evening good day yo there hector"
_GREETINGS = frozenset(_HELLO.split())
_THANKS = re.compile(
    r"^\W*(?:thanks?(?: you)?|thx|danke|great|nice|cool|perfect|ok(?:ay)?|got it|bye|goodbye|see you)\b"
    r"[\w\s,]{0,30}\W*$",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"\b(?:who|what|how) are you\b|\bwhat can you do\b"
    r"|\bare you (?:a|an|the)? ?(?:real|ai|human|bot|model|llm|there|ok)\b",
    re.IGNORECASE,
)
_PING = re.compile(r"^\W*(?:ping|test|testing|are you there)\W*$", re.IGNORECASE)


def is_small_talk(text: str) -> bool:
    """Tell whether a message wants nothing but an answer."""
    return _is_greeting(text) or bool(_THANKS.match(text) or _WHO.search(text) or _PING.match(text))


def small_talk(text: str, *, can_search: bool) -> str:
    """Return the answer to small talk."""
    offer = "Ask me about the documents I can search." if can_search else "Ask me something."
    if _PING.match(text):
        return "I am here. " + offer
    if _WHO.search(text):
        can = (
            "search the documents of this project and quote what fits"
            if can_search
            else "talk about what you told me, and use the tools I am given"
        )
        return f"I am the offline model: no weights, no network, no key. I can {can}."
    if _THANKS.match(text) and not _is_greeting(text):
        return "You are welcome."
    return "Hello! " + offer


def noted(answer: str, answered: tuple[str, ...]) -> str:
    """Return the answer with the note of what speaks, unless the conversation has it already."""
    said = any(_MARK in earlier for earlier in answered)
    return answer if said else f"{answer}\n\n{NOTE}"


def _is_greeting(text: str) -> bool:
    words = words_of(text)
    return 0 < len(words) <= 5 and words[0] in _GREETINGS and all(word in _GREETINGS for word in words)
