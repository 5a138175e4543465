"""The host's half of a plugin: starts it, watches it, speaks to it and ends it."""

from .plan import AllowedPath, Grants, Limits, Mode, PluginPlan, Restart, Sandbox, Security, Tls

__all__ = [
    "AllowedPath",
    "Grants",
    "Limits",
    "Mode",
    "PluginPlan",
    "Restart",
    "Sandbox",
    "Security",
    "Tls",
]
