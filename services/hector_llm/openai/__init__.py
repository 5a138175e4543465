"""Speaks OpenAI's chat completions, as OpenAI, Ollama, vLLM, llama.cpp and many gateways understand it."""

from hector_llm.openai.endpoint import Endpoint, endpoint_of
from hector_llm.openai.provider import OpenAIProvider

__all__ = ["Endpoint", "OpenAIProvider", "endpoint_of"]
