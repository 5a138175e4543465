"""The host's half of a plugin: starts it, watches it, speaks to it and ends it."""

from .plan import Grants, Limits, Mode, PluginPlan, Restart, Sandbox, Security, Tls

__all__ = [
    "Grants",
    "Limits",
    "Mode",
    "PluginPlan",
    "Restart",
    "Sandbox",
    "Security",
    "Tls",
]
