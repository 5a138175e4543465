"""What an operator who is responsible for security wants to hear of, said in one way."""

import logging
from time import monotonic
from typing import Literal, NamedTuple

from .measuring import SECURITY_EVENTS

log = logging.getLogger("hector_plugin_host.security")

Event = Literal[
    "refused_call",  # a call that a plugin may not make, or of somebody without its token
    "not_granted",  # a host service that the configuration does not grant
    "limit_hit",  # memory, processes, CPU, connections, state
    "network_refused",
    "checksum_mismatch",
    "sandbox_missing",
    "crash",
]


BURST, PER_S = 50.0, 1.0
"""Lines of one kind of one plugin that may come at once, and lines a second after that."""


def report(event: Event, plugin: str, **facts: object) -> None:
    """Count one event, and log it if that does not fill the log. Facts must hold no secrets."""
    SECURITY_EVENTS.add(plugin, event)
    now = monotonic()
    line = _lines.get((plugin, event), _Line(BURST, now, 0))
    left = min(BURST, line.left + (now - line.at_s) * PER_S)
    if left < 1:
        _lines[plugin, event] = _Line(left, now, line.left_out + 1)
        return
    _lines[plugin, event] = _Line(left - 1, now, 0)
    if line.left_out:
        facts["left_out"] = line.left_out
    log.warning("plugin security event was noticed", extra={"event": event, "plugin": plugin, **facts})


class _Line(NamedTuple):
    """How many lines one kind of event has left, and how many were not written since the last one."""

    left: float
    at_s: float
    left_out: int


_lines: dict[tuple[str, Event], _Line] = {}
