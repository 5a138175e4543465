"""What a run's models cost."""

from collections.abc import Iterable

from hector.agent.v1 import RunEvent
from hector.common.v1 import TokenUsage

FIELDS = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_prompt_tokens", "reasoning_tokens")


def summed(events: Iterable[RunEvent]) -> TokenUsage:
    """Return the sum over all model calls among the events."""
    total = TokenUsage()
    for event in events:
        if event.WhichOneof("event") == "model_answered":
            for name in FIELDS:
                setattr(total, name, getattr(total, name) + getattr(event.model_answered.usage, name))
    return total
