"""What the command line says in place of a config file. Light: every command imports it."""

from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """A configuration without a file, flag by flag; None is unsaid."""

    provider: str | None = None
    model: str | None = None
    api_key: str | None = None
    base_url: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    thinking: bool | None = None
    thinking_budget: int | None = None
    instruction: str | None = None
    tools: str | None = None
    """Names with commas between them; "none" for none."""
    docs_folder: Path | None = None
    docs_watch: bool | None = None
    embedder_provider: str | None = None
    embedder_model: str | None = None
    embedder_url: str | None = None
    vector_type: str | None = None
    streaming: bool | None = None

    def given(self) -> list[str]:
        """Return the flags that were used, as they are written."""
        return [self.spelled(field.name) for field in fields(self) if getattr(self, field.name) is not None]

    def spelled(self, name: str) -> str:
        """Return a field as the flag that sets it."""
        spelling = {"streaming": "stream", "docs_watch": "rag-watch"}.get(name, name.replace("_", "-"))
        return f"--no-{spelling}" if getattr(self, name) is False else f"--{spelling}"
