"""Asks language models: OpenAI-compatible servers, Ollama, and the offline model."""

from hector_llm.config import LLMConfig, LLMSection, ThinkingConfig
from hector_llm.room import build
from hector_llm.router import LLMRouter

__all__ = ["LLMConfig", "LLMRouter", "LLMSection", "ThinkingConfig", "build"]
