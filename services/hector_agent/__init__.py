"""Runs agents: turns, runs and their event log, sessions. Serves lf.a2a.v1 and hector.agent.v1."""

from typing import TYPE_CHECKING

from .config import AgentConfig, AgentSection

if TYPE_CHECKING:
    from .room import build

__all__ = ["AgentConfig", "AgentSection", "build"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves them comes when it is asked for.
    if name == "build":
        from .room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
