"""What one server will not be asked again, once it has refused it."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Dialect:
    """The choices in which OpenAI-compatible servers differ, and which only their refusals tell."""

    limit_key: str = "max_tokens"
    """OpenAI's newer models know `max_completion_tokens` only, most other servers `max_tokens` only."""
    usage_in_stream: bool = True
    """Ask for token counts at the end of a stream."""
    default_temperature: bool = True
    """Send our default temperature; one that the operator wrote is always sent."""

    def after(self, refusal: str) -> "Dialect | None":
        """Return how to ask instead, or None if the refusal is about something else."""
        refusal = refusal.lower()
        if self.usage_in_stream and ("stream_options" in refusal or "include_usage" in refusal):
            return replace(self, usage_in_stream=False)
        if "max_tokens" in refusal and "max_completion_tokens" in refusal and self.limit_key == "max_tokens":
            return replace(self, limit_key="max_completion_tokens")
        if "max_completion_tokens" in refusal and self.limit_key == "max_completion_tokens":
            return replace(self, limit_key="max_tokens")
        if self.default_temperature and "temperature" in refusal:
            return replace(self, default_temperature=False)
        return None
