"""Whole answers, from the provider's JSON to ours."""

import secrets
from typing import Any

import orjson

from hector.common.v1 import Message, Part, Reasoning, Role, ToolCall
from hector.llm.v1 import GenerateTextResponse
from hector_llm.openai.usage import finish_reason_of, usage_of


class NotAnAnswerError(Exception):
    """What came is not what chat completions look like; the message shows its beginning."""


class ProviderError(Exception):
    """The provider reports a failure where an answer, or the next piece of one, should be."""

    def __init__(self, error: object) -> None:
        super().__init__("an error object instead of an answer")
        self.error = error


def whole_answer(body: bytes) -> GenerateTextResponse:
    """Return the answer in the body of a response that was not streamed.

    Raises:
        NotAnAnswerError: It is not JSON, or holds no answer.
        ProviderError: It is the report of a failure, under a status that promised an answer.
    """
    try:
        answer = orjson.loads(body)
        if "choices" not in answer and answer.get("error"):
            raise ProviderError(answer["error"])
        choice = answer["choices"][0]
        said = choice["message"]
        text, calls = (
            text_of(said.get("content")) or string(said.get("refusal")),
            said.get("tool_calls") or (),
        )
        thought = thought_of(said)
        parts = [Part(reasoning=Reasoning(text=thought))] if thought else []
        parts += [Part(text=text)] if text else []
        parts += [Part(tool_call=_call(call)) for call in calls]
        word = string(choice.get("finish_reason"))
        return GenerateTextResponse(
            text=text,
            usage=usage_of(answer.get("usage")),
            message=Message(role=Role.ROLE_ASSISTANT, parts=parts),
            finish_reason=finish_reason_of(word, calls=bool(calls)),
            model=string(answer.get("model")),
            response_id=string(answer.get("id")),
            raw_finish_reason=word,
        )
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        raise NotAnAnswerError(f"not a chat completion: {excerpt(body)}") from None


def string(value: Any) -> str:
    """Return a text, and nothing for whatever stands where a text should be."""
    return value if isinstance(value, str) else ""


def text_of(content: Any) -> str:
    """Return the text of a content, which some providers send as a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
        return "".join(text for part in parts if isinstance(text := part.get("text"), str))
    return ""


def thought_of(said: Any) -> str:
    """Return what a model thought, by either of the two names that providers use."""
    thought = said.get("reasoning_content") or said.get("reasoning")
    return thought if isinstance(thought, str) else ""


def excerpt(body: bytes, limit: int = 200) -> str:
    """Return the beginning of a body, on one line, for an error message."""
    text = " ".join(body[: limit * 4].decode("utf-8", "replace").split())
    if sum(not letter.isprintable() or letter == "\ufffd" for letter in text) > len(text) // 10:
        return f"{len(body)} bytes that are no text"
    return repr(text if len(text) <= limit else text[:limit] + "…") if text else "nothing"


def _call(call: Any) -> ToolCall:
    function = call["function"]
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = orjson.dumps(arguments or {}).decode()
    id_ = call.get("id") or f"call_{secrets.token_hex(8)}"
    return ToolCall(id=id_, name=function["name"], arguments_json=arguments or "{}")
