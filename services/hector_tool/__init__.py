"""Does things in the world for agents: the built-in tools, each held to its limits."""

from typing import TYPE_CHECKING

from hector_tool.config import ToolConfig, ToolSection, default_tools

if TYPE_CHECKING:
    from hector_tool.room import build

__all__ = ["ToolConfig", "ToolSection", "build", "default_tools"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves comes when it is to serve.
    if name == "build":
        from hector_tool.room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
