"""Does things in the world for agents: the built-in tools, each held to its limits."""

from hector_tool.config import ToolConfig, ToolSection, default_tools
from hector_tool.room import build

__all__ = ["ToolConfig", "ToolSection", "build", "default_tools"]
