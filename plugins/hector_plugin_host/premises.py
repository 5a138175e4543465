"""What is the same for all plugins of one host."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .plan import PluginPlan
from .start_failed import AddressRefused

if TYPE_CHECKING:
    from hector_store import PluginValues

ATTACH = "HECTOR_PLUGIN_ATTACH"
"""Names plugins that somebody has started already, under a debugger say: "name=unix:/tmp/x.sock,other=…"."""


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a host keeps things, and what it tells every plugin."""

    state_dir: Path | None = None
    """Where notes of running plugins are kept; None: nowhere, and what outlives this host and its guard
    stays."""
    values: "Callable[[], AbstractAsyncContextManager[PluginValues]] | None" = None
    """Opens where plugins keep what they put by; None: in memory, gone with the host."""
    log_level: str = "info"
    telemetry: Mapping[str, str] = field(default_factory=dict)
    """OTEL_* variables for plugins; none with a secret in it."""
    vouch: Callable[[PluginPlan], None] | None = None
    """Asked before each start, in a thread: raises PluginStartFailed for what must not be started."""
    attach: Mapping[str, str] = field(default_factory=dict)
    """Addresses that replace what a plan says, by name; see `attachments`."""


def attachments(text: str) -> dict[str, str]:
    """Read what HECTOR_PLUGIN_ATTACH says.

    Raises:
        AddressRefused: It is not a list of name=address.
    """
    found: dict[str, str] = {}
    for entry in filter(None, (entry.strip() for entry in text.split(","))):
        name, equals, address = entry.partition("=")
        if not (name.strip() and equals and address.strip()):
            why = f'{ATTACH} says "{entry}"'
            raise AddressRefused(name.strip() or "?", why, "write name=address, as up=unix:/tmp/up.sock")
        found[name.strip()] = address.strip()
    return found
