"""What an operator who is responsible for security wants to hear of, said in one way."""

import logging
from typing import Literal

from .measuring import SECURITY_EVENTS

log = logging.getLogger("hector_plugin_host.security")

Event = Literal[
    "refused_call",  # a call that a plugin may not make, or of somebody without its token
    "not_granted",  # a host service that the configuration does not grant
    "limit_hit",  # memory, processes, CPU, state
    "network_refused",
    "checksum_mismatch",
    "sandbox_missing",
    "crash",
]


def report(event: Event, plugin: str, **facts: object) -> None:
    """Log and count one event. Facts must hold no secrets."""
    SECURITY_EVENTS.add(plugin, event)
    log.warning("plugin security event was noticed", extra={"event": event, "plugin": plugin, **facts})
