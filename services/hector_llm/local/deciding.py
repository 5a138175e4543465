"""What the offline model does next: ask for a tool, or answer. Pure: the same input, the same output."""

from dataclasses import dataclass

import orjson

from hector.common.v1 import Tool, ToolCall
from hector.llm.v1 import ToolChoice
from hector_llm.local.conversation import Conversation, Result
from hector_llm.local.passages import passages_in, unheaded
from hector_llm.local.quoting import quoted
from hector_llm.local.remembering import is_about_the_user, is_told, remembered
from hector_llm.local.routing import routed
from hector_llm.local.shaping import shaped
from hector_llm.local.soundness import sound
from hector_llm.local.talking import is_small_talk, noted, small_talk

SHOWN = 4_000
"""Most characters of a tool's result that are shown as they are."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A text, or a call of a tool."""

    text: str = ""
    call: ToolCall | None = None


def decide(conversation: Conversation, tools: list[Tool], choice: ToolChoice, schema_json: str) -> Decision:
    """Return what to do about the last question.

    After a tool has answered it never asks for another one, so it cannot go round in circles.
    """
    offered = [tool for tool in tools if choice.mode != ToolChoice.MODE_NAMED or tool.name in choice.names]
    must = choice.mode in (ToolChoice.MODE_REQUIRED, ToolChoice.MODE_NAMED)
    if offered and choice.mode != ToolChoice.MODE_NONE and (must or not conversation.results):
        call = routed(conversation, offered, must=must)
        if call is not None:
            return Decision(call=call)
    can_search = any(tool.name == "search" for tool in tools)
    answer = _answer(conversation, can_search=can_search)
    if schema_json:
        return Decision(text=_in_shape(schema_json, conversation.question, answer))
    return Decision(text=noted(answer, conversation.answered))


def _answer(conversation: Conversation, *, can_search: bool) -> str:
    question = conversation.question
    failed = [result for result in conversation.results if result.failed]
    if failed and len(failed) == len(conversation.results):
        return "\n\n".join(f"The tool {result.tool} failed: {result.text}" for result in failed)
    if is_small_talk(question) and not conversation.results:
        return small_talk(question, can_search=can_search)
    passages = passages_in(conversation)
    before = conversation.told[-1] if conversation.told else ""
    if passages and (found := quoted(_without_names(conversation), passages, before)):
        return found
    if conversation.results:
        return _shown(conversation)
    if found := remembered(conversation):
        return found
    return _at_a_loss(conversation, can_search=can_search, looked=bool(passages))


def _without_names(conversation: Conversation) -> str:
    """Return the question without the names of files that were read for it: they are not in the files."""
    question = conversation.question
    for result in conversation.results:
        for value in result.arguments.values():
            if isinstance(value, str) and value != question and ("/" in value or "." in value):
                question = question.replace(value, " ")
    return question


def _shown(conversation: Conversation) -> str:
    """Return what tools said, where it holds nothing to quote."""
    results = unheaded(conversation.results)
    texts = [result for result in results if result.text and not _is_search_miss(result)]
    if not texts:
        return f"I found nothing in the documents that answers “{_short(conversation.question)}”."
    return "\n\n".join(_of_tool(result) for result in texts)


def _of_tool(result: Result) -> str:
    text = result.text
    if len(text) > SHOWN:
        text = f"{text[:SHOWN]}\n… ({len(text) - SHOWN} more characters)"
    if "\n" in text:
        return f"The tool {result.tool} answered:\n\n```\n{text}\n```"
    return f"The tool {result.tool} answered: {text}"


def _is_search_miss(result: Result) -> bool:
    return "query" in result.arguments and "[" not in result.text


def _at_a_loss(conversation: Conversation, *, can_search: bool, looked: bool) -> str:
    question = conversation.question
    if not question:
        return "There is no question to answer."
    if is_told(question):
        return f"Noted: {_short(question)}"
    if is_about_the_user(question):
        return "You have not told me."
    if can_search or looked:
        return f"I found nothing in the documents that answers “{_short(question)}”."
    return (
        f"I cannot answer “{_short(question)}”: I have no knowledge of my own, and there are no documents "
        "or tools to look it up with."
    )


def _in_shape(schema_json: str, question: str, answer: str) -> str:
    schema = sound(orjson.loads(schema_json))
    return orjson.dumps(shaped(schema, question, answer)).decode()


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else text[:200] + "…"
