"""What a plugin is written with: decorate functions, call `serve()`, and let Hector start the program."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._config import Config, ConfigRefused, Entry, NotConfigured, config
from ._host import Host, host
from ._launch import Launch, NotStartedByHector
from ._serving import serve
from ._types import Secret
from .errors import PluginError, ToolFailed

if TYPE_CHECKING:
    from ._embedding import embedder
    from ._models import llm, text_of
    from ._parsing import parser
    from ._reasoning import reasoning
    from ._tools import Invocation, tool

__all__ = [
    "Config",
    "ConfigRefused",
    "Entry",
    "Host",
    "Invocation",
    "Launch",
    "NotConfigured",
    "NotStartedByHector",
    "PluginError",
    "Secret",
    "ToolFailed",
    "config",
    "embedder",
    "host",
    "llm",
    "parser",
    "reasoning",
    "serve",
    "text_of",
    "tool",
]

_LATER = {
    "Invocation": "_tools",
    "embedder": "_embedding",
    "llm": "_models",
    "parser": "_parsing",
    "reasoning": "_reasoning",
    "text_of": "_models",
    "tool": "_tools",
}
"""What stands on the contract of one kind, which only plugins of that kind import."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f".{_LATER[name]}", __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
