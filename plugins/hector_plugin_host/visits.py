"""Calls that a plugin is at work on and during which it may ask its host for something.

Whoever is served is found by a number that only this call's process was told: so a plugin acts for a caller
while that caller waits for it, and for nobody else.
"""

import secrets
from dataclasses import dataclass, replace
from typing import ClassVar

from hector_mesh import Call, current_call, tracing


@dataclass(frozen=True, slots=True)
class Visit:
    """One call."""

    call: Call
    """Whose it is; its deadline is that of the plugin's call."""


class Visits:
    """Those of one plugin."""

    HEADER: ClassVar[str] = "hector-call"

    def __init__(self) -> None:
        self._open: dict[str, Visit] = {}
        self.wanted = False
        """Whether the plugin may ask for anything; only then its calls are numbered."""

    def enter(self, deadline: float) -> str:
        """Take note of a call for the caller that is being served, and return its number."""
        call = current_call.get()
        number = secrets.token_hex(12)
        trace = tracing.traceparent() or call.traceparent
        own = replace(call, deadline=min(call.deadline, deadline), traceparent=trace)
        self._open[number] = Visit(own)
        return number

    def leave(self, number: str) -> None:
        """Forget a call: what it had asked for ends with it."""
        visit = self._open.pop(number, None)
        if visit is not None:
            visit.call.end()

    def find(self, number: str) -> Visit | None:
        """Return the call with a number, if it is still under way."""
        return self._open.get(number)
