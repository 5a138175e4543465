"""Plugins of Hector v1.9.9, which speak its own services: served here in the words of today's contracts."""

from .asking import PluginSaidNo
from .finding import Translated, translated

__all__ = ["PluginSaidNo", "Translated", "translated"]
