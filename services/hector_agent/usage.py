"""What the models cost that a run asked."""

from collections.abc import Iterable

from hector.agent.v1 import RunEvent
from hector.common.v1 import TokenUsage

FIELDS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_prompt_tokens", "reasoning_tokens")


def summed(events: Iterable[RunEvent]) -> TokenUsage:
    """Return the sum over all model calls among the events, and over what agents say that theirs cost."""
    total = TokenUsage()
    for event in events:
        kind = event.WhichOneof("event")
        if kind == "model_answered":
            _add(total, event.model_answered.usage)
        elif kind == "tokens_spent":
            _add(total, event.tokens_spent.usage)
    return total


def _add(total: TokenUsage, usage: TokenUsage) -> None:
    for name in FIELDS:
        setattr(total, name, getattr(total, name) + getattr(usage, name))
