"""The keys of `agents.<name>.retry`: how often a step is tried, and with what pauses."""

from typing import Annotated

from pydantic import Field

from hector_config import Duration, Section


class RetryConfig(Section):
    """How often a step is tried."""

    max_attempts: Annotated[int, Field(ge=1, le=100)] = 1
    """Most attempts, the first one included. A run whose step has failed so often, where that is more than
    once, becomes a dead letter (`hector task dead`)."""
    initial_delay: Duration = 1.0
    """Pause before the second attempt; it doubles with each."""
    max_delay: Duration = 30.0
    """Longest pause. A run that pauses for more than ten seconds holds nothing meanwhile."""
    jitter: bool = True
    """Make each pause shorter by up to a half, at random, so that many do not come back at once."""
    non_retryable: list[str] = []
    """Reasons of errors after which nothing is tried again, as MODEL_RATE_LIMITED. What time does not mend (a
    wrong key, a request that is refused) is never tried again."""


class StepRetryConfig(Section):
    """Which steps are tried again when they fail, beside what `llms.<name>.max_retries` does by itself."""

    model: RetryConfig = RetryConfig()
    """Questions to models. What a failed attempt had said is taken back."""
    tools: RetryConfig = RetryConfig()
    """Calls of tools that could not be made, or did not come back: only of tools whose calls may be repeated
    (annotated as read-only or idempotent, or with `after_crash: replay`)."""
