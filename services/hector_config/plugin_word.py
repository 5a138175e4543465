"""`plugin:NAME` and `plugin:NAME:COMPONENT`: how a config refers to a plugin where a built-in could stand."""

from typing import NamedTuple

PREFIX = "plugin:"


class PluginWord(NamedTuple):
    """Such a word, taken apart."""

    plugin: str
    """Its name under `plugins:`."""
    component: str = ""
    """Which of several things of the kind the plugin is to be; empty is for the plugin to know."""


def plugin_word(text: str) -> PluginWord | None:
    """Return what a word refers to; None: no plugin."""
    if not text.startswith(PREFIX):
        return None
    name, _, component = text.removeprefix(PREFIX).partition(":")
    return PluginWord(name, component)
