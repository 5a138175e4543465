"""Decides what an agent does next, and does nothing itself."""

from typing import TYPE_CHECKING

from hector_reasoning.config import ReasoningSection

if TYPE_CHECKING:
    from hector_reasoning.room import build

__all__ = ["ReasoningSection", "build"]


def __getattr__(name: str) -> object:
    # Reading a config needs the keys alone; what serves comes when it is to serve.
    if name == "build":
        from hector_reasoning.room import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
