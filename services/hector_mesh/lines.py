"""Log lines of which every request leaves one: past what `logging` does for each, to whoever writes them.

Making a record of a line and passing it on costs more than all else that is done for it.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from .call import current_call


class Taker(Protocol):
    """A handler that takes lines without a record of each."""

    def take(
        self, created: float, level: int, logger: str, message: str, facts: Mapping[str, object]
    ) -> None:
        """Take a line: when and where it was written, a constant sentence, and the facts beside it."""


_taker: Taker | None = None

always: dict[str, object] = {}
"""Facts of every line of this process: which of several workers it is, say."""


def taken_by(taker: Taker) -> None:
    """Give lines to a handler, as long as it is the only one."""
    global _taker
    _taker = taker


def line(log: logging.Logger, level: int, message: str, facts: dict[str, object]) -> None:
    """Log a line, with facts that are given away. A warning goes the way of all warnings."""
    if not log.isEnabledFor(level):
        return
    listening: Sequence[object] = logging.root.handlers
    if level >= logging.WARNING or _taker is None or listening != [_taker]:
        log.log(level, message, extra=facts)
        return
    if "request_id" not in facts:
        call = current_call.get()
        if call.request_id:
            facts["request_id"] = call.request_id
        if call.traceparent and "trace_id" not in facts:
            facts["trace_id"] = call.traceparent[3:35]
    if always:
        facts.update(always)
    _taker.take(time.time(), level, log.name, message, facts)
