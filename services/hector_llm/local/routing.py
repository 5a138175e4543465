"""Which tool to ask for, if any."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from hector.common.v1 import Tool, ToolCall
from hector_llm.local.clues import Clues
from hector_llm.local.conversation import Conversation
from hector_llm.local.filling import Filler
from hector_llm.local.ranking import leans_on_context
from hector_llm.local.remembering import is_about_the_user, is_told, remembered
from hector_llm.local.schemas import CannotFillError, Schema, properties_of, required_of, words_in_name
from hector_llm.local.soundness import sound
from hector_llm.local.talking import is_small_talk
from hector_llm.local.words import STOP, stem, stems_of, unique, words_of

SURE = 1.0
"""How much must speak for a tool before it is asked for."""

_filler = re.compile(
    r"^\W*(?:(?:hi|hey|hello|so|ok|okay|and|but|then|please|now)\b[\s,]*)*"
    r"(?:(?:can|could|would) you\b\s*(?:please )?)?"
    r"(?:(?:tell|show|explain to|give) (?:me|us)(?: more)?(?: about)?\b\s*"
    r"|i (?:want|would like|need) to know\b\s*|do you know\b\s*|look up\b\s*"
    r"|(?:use (?:the )?)?search(?: tool)?(?: the docs| the documents| the documentation)?"
    r"(?: for| to find)?\b\s*)?",
    re.IGNORECASE,
)
_reads = re.compile(
    r"\b(?:read|open|show|cat|view|print|display|contents? of|look (?:at|into)|what(?:'s| is| does)?)\b",
    re.IGNORECASE,
)
_greps = re.compile(
    r"\b(?:grep|search (?:in |through |all |the )*(?:files?|code|sources?|folder|directory)"
    r"|find (?:all )?(?:lines|occurrences|mentions|files))",
    re.IGNORECASE,
)
_finds = re.compile(r"\b(?:search|find|look up|retriev|recall|query|knowledge|document)", re.IGNORECASE)
_lists = re.compile(r"\b(?:to-?dos?|task list|remind me|(?:my|the) tasks)\b", re.IGNORECASE)
_changes = re.compile(
    r"\b(?:write|create|delete|remove|edit|replace|change|update|run|execute|send|post|add|set|save)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    tool: Tool
    schema: Schema
    score: float


def routed(conversation: Conversation, tools: Sequence[Tool], *, must: bool = False) -> ToolCall | None:
    """Return the tool call that the last question wants, or None if words alone will do.

    Args:
        conversation: Without a tool's result since the last question.
        tools: What may be asked for.
        must: One of them has to be, however little speaks for it.
    """
    question = conversation.question
    if is_told(question) and not must:
        return None
    candidates = [
        _Candidate(tool, schema, _score(question, tool, schema))
        for tool in tools
        if (schema := _schema(tool)) is not None
    ]
    for candidate in sorted(candidates, key=lambda each: -each.score):
        if candidate.score >= SURE and (call := _call(conversation, candidate)):
            return call
    search = _search(candidates)
    if search and (must or wants_knowledge(conversation)):
        call = _call(conversation, search)
        if call:
            return call
    if must:
        for candidate in sorted(candidates, key=lambda each: -each.score):
            call = _call(conversation, candidate) or _empty(conversation, candidate)
            return call
    return None


def query_of(conversation: Conversation) -> str:
    """Return what to search for: the question without politeness, and its subject if that was said before."""
    question = " ".join(conversation.question.split())
    query = _filler.sub("", question, count=1).strip(" .!") or question
    if conversation.told and leans_on_context(query):
        known = set(stems_of(query))
        before = [
            word for word in words_of(conversation.told[-1]) if word not in STOP and stem(word) not in known
        ]
        query = " ".join([query.rstrip("?"), *unique(before)[:6]])
    return query[:400]


def wants_knowledge(conversation: Conversation) -> bool:
    """Tell whether the last message asks for something that documents may know."""
    question = conversation.question
    if is_small_talk(question) or is_told(question) or not stems_of(question):
        return False
    return not is_about_the_user(question) and not remembered(conversation)


def _score(question: str, tool: Tool, schema: Schema) -> float:
    said = set(map(stem, words_of(question)))
    name = [stem(word) for word in words_in_name(tool.name)]
    if not question:
        return 0.0
    if tool.name.lower() in question.lower() and (len(name) > 1 or _named(question, tool.name)):
        return 3.0
    clues, props = Clues(question), {word for prop in properties_of(schema) for word in words_in_name(prop)}
    takes_path, changes = bool(props & {"path", "file", "filename"}), _changes_things(tool)
    score = 0.0
    if (
        takes_path
        and clues.paths
        and not changes
        and not _changes.search(question)
        and {"read", "view", "open", "cat"} & set(name)
    ):
        score += 2.0 if _reads.search(question) else 1.0
    if {"grep", "search"} & set(name) and props & {"pattern", "regex"} and _greps.search(question):
        score += 2.0
    if {"todo", "task"} & set(name) and _lists.search(question):
        score += 2.0
    if clues.urls and {"fetch", "web", "url", "http", "browse"} & set(name) and props & {"url", "uri"}:
        score += 2.0
    if score or _is_search(tool, schema):
        return score
    # Nothing known of this tool: its own words must be in the question, and those of its name count most.
    own = {word for word in name if word not in ("get", "tool", "run", "do", "my")}
    if own and own <= said:
        score += 1.2
    elif own & said:
        score += 0.6
    described = set(stems_of(tool.description)) & {word for word in said if word not in STOP}
    return score + 0.25 * min(3, len(described - own))


def _named(question: str, name: str) -> bool:
    """Tell whether a tool whose name is an ordinary word is meant as a tool."""
    name = re.escape(name)
    said = rf"`{name}`|\b(?:use|call|with|run)\s+(?:the\s+)?{name}\b|\b{name} tool\b"
    return bool(re.search(said, question, re.IGNORECASE))


def _search(candidates: Sequence[_Candidate]) -> _Candidate | None:
    found = [each for each in candidates if _is_search(each.tool, each.schema)]

    def rank(each: _Candidate) -> tuple[bool, bool, bool]:
        name = words_in_name(each.tool.name)
        about = each.tool.description.lower()
        return (
            each.tool.name != "search",
            "web" in name,
            "document" not in about and "knowledge" not in about,
        )

    return min(found, key=rank) if found else None


def _is_search(tool: Tool, schema: Schema) -> bool:
    name = words_in_name(tool.name)
    properties = properties_of(schema)
    asks = next((each for each in ("query", "q", "question") if each in properties), "")
    others = [each for each in required_of(schema) if each != asks]
    finds = bool(_finds.search(f"{' '.join(name)} {tool.description}")) and not {"grep", "ask"} & set(name)
    return bool(asks) and not others and finds and not _changes_things(tool)


def _changes_things(tool: Tool) -> bool:
    name = set(words_in_name(tool.name))
    return tool.annotations.destructive or bool(
        name & {"write", "delete", "remove", "create", "edit", "update", "send", "post", "patch", "replace"}
    )


def _call(conversation: Conversation, candidate: _Candidate) -> ToolCall | None:
    try:
        arguments = Filler(conversation.question, query_of(conversation)).arguments(candidate.schema)
    except CannotFillError:
        return None
    return _asked(conversation, candidate.tool, arguments)


def _empty(conversation: Conversation, candidate: _Candidate) -> ToolCall:
    from hector_llm.local.shaping import shaped

    found = shaped(candidate.schema, conversation.question, conversation.question)
    return _asked(conversation, candidate.tool, found if isinstance(found, Mapping) else {})


def _asked(conversation: Conversation, tool: Tool, arguments: Mapping[str, object]) -> ToolCall:
    # Counted and not drawn: the same conversation always gets the same answer.
    call_id = f"call_{conversation.calls + 1}"
    return ToolCall(id=call_id, name=tool.name, arguments_json=orjson.dumps(arguments).decode())


def _schema(tool: Tool) -> Schema | None:
    if not tool.parameters_json:
        return {}
    try:
        found = orjson.loads(tool.parameters_json)
    except orjson.JSONDecodeError:
        return None
    return sound(found) if isinstance(found, dict) else None
