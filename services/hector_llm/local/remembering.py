"""Answers from what was said before: names, facts, and the last answer."""

import re

from hector_llm.local.conversation import Conversation
from hector_llm.local.words import stems_of

_fact = re.compile(
    r"\bmy (?P<what>[\w' -]{1,40}?) (?P<verb>is|are|was|were)(?: called)? (?P<value>[^.!?\n]{1,120})",
    re.IGNORECASE,
)
_name = re.compile(
    r"(?:\b[Ii] am called|\b[Cc]all me|\b[Mm]y name(?:'s| is)|(?:^|[.!,] )I(?: am|'m))\s+"
    r"(?P<value>[A-Z][\w'-]*(?: [A-Z][\w'-]*)?)"
)
_asks_mine = re.compile(
    r"\b(?:what|who|where|when|which|how|tell me|remember|know)\b.*\bmy (?P<what>[\w' -]+?)"
    r"(?: is| are| was| were| called)?\W*$|\bwho (?:am i|i am)\b|\bwhat (?:am i|i am) called\b",
    re.IGNORECASE,
)
_asks_said = re.compile(
    r"\bwhat (?:did|have|was|were) (?:i|my)\b.*\b(?:say|said|ask|asked|tell|told|question)\b", re.IGNORECASE
)
_about_us = re.compile(r"\W*(?:i|we|our|my)\b", re.IGNORECASE)
_wants = re.compile(
    r"\W*(?:i|we)(?:'d| would)?(?: \w+)? (?:want|need|like|wonder|ask|know|look|search|hope)", re.IGNORECASE
)
_asks_again = re.compile(
    r"\b(?:what did you (?:just )?say|say (?:that|it) again|repeat (?:that|it|yourself))\b", re.IGNORECASE
)


def remembered(conversation: Conversation) -> str:
    """Return what earlier turns say to the question; empty if it is not about them, or they do not say."""
    question = conversation.question
    if _asks_again.search(question) and conversation.answered:
        return conversation.answered[-1]
    if _asks_said.search(question) and conversation.told:
        return f"You said: “{_short(conversation.told[-1])}”"
    asked = _asks_mine.search(question)
    if asked:
        what = asked["what"] or "name"
        found = _own(what.strip(), conversation.told)
        if found:
            return found
    return (
        _overlapping(question, conversation.told) if asked or re.search(r"\b(?:I|my|me)\b", question) else ""
    )


def is_about_the_user(question: str) -> bool:
    """Tell whether a question is about whoever asks, so that no document can answer it."""
    return bool(_asks_mine.search(question) or _asks_said.search(question) or _asks_again.search(question))


def is_told(text: str) -> bool:
    """Tell whether the user states something instead of asking."""
    if "?" in text or _wants.match(text):
        return False
    return bool(_fact.search(text) or _name.search(text) or _about_us.match(text))


def _own(what: str, told: tuple[str, ...]) -> str:
    wanted = stems_of(what)
    for text in reversed(told):
        if wanted == stems_of("name") and (named := _name.search(text)):
            return f"Your name is {named['value']}."
        for fact in _fact.finditer(text):
            if stems_of(fact["what"]) == wanted:
                return f"Your {fact['what']} {fact['verb']} {fact['value'].strip()}."
    return ""


def _overlapping(question: str, told: tuple[str, ...]) -> str:
    wanted = set(stems_of(question))
    best, most = "", 0.0
    for text in told:
        for sentence in re.split(r"(?<=[.!?])\s+|\n", text):
            shared = len(wanted & set(stems_of(sentence))) / max(1, len(wanted))
            if shared >= max(0.6, most) and is_told(sentence):
                best, most = sentence, shared
    return f"You told me: “{_short(best)}”" if best else ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 400 else text[:400] + "…"
