"""Asks language models: OpenAI-compatible servers, Ollama, and the offline model."""

from typing import TYPE_CHECKING

from hector_llm.config import LLMConfig, LLMSection, ThinkingConfig

if TYPE_CHECKING:
    from hector_llm.room import build

__all__ = ["LLMConfig", "LLMSection", "ThinkingConfig", "build"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves comes when it is to serve.
    if name == "build":
        from hector_llm.room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
