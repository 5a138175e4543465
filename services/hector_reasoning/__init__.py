"""Decides what an agent does next, and does nothing itself."""

from hector_reasoning.config import ReasoningSection
from hector_reasoning.room import build

__all__ = ["ReasoningSection", "build"]
