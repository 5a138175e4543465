"""Tokens and finish reasons, from OpenAI's words to ours."""

from typing import Any

from hector.common.v1 import TokenUsage
from hector.llm.v1 import (
    FINISH_REASON_CONTENT_FILTER,
    FINISH_REASON_ERROR,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    FinishReason,
)

_REASONS = {
    "stop": FINISH_REASON_STOP,
    "length": FINISH_REASON_LENGTH,
    "tool_calls": FINISH_REASON_TOOL_CALLS,
    "function_call": FINISH_REASON_TOOL_CALLS,
    "content_filter": FINISH_REASON_CONTENT_FILTER,
    "error": FINISH_REASON_ERROR,
}


def finish_reason_of(word: str | None, *, calls: bool) -> FinishReason.ValueType:
    """Return why a model stopped; an answer that asks for tools stopped for that, whatever the word."""
    reason = _REASONS.get(word or "stop", FINISH_REASON_STOP)
    if calls and reason == FINISH_REASON_STOP:
        return FINISH_REASON_TOOL_CALLS
    return reason


def usage_of(usage: Any) -> TokenUsage:
    """Return a provider's token counts; zeros where it gives none."""
    if not isinstance(usage, dict):
        return TokenUsage()
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=_count(usage, "total_tokens") or prompt + completion,
        cached_prompt_tokens=_count(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )


def _count(counts: Any, name: str) -> int:
    count = counts.get(name) if isinstance(counts, dict) else None
    return count if type(count) is int and 0 <= count < 2**62 else 0
