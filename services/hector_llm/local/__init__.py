"""The offline model: no weights, no network, no key; answers from what it is given."""

from hector_llm.local.provider import LocalProvider

__all__ = ["LocalProvider"]
