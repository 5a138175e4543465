"""Whether to try again, and when."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from hector_http.errors import HttpError, TimedOut, Unreachable, Untrusted
from hector_http.request import Request

_REFUSED_UNREAD = frozenset({408, 425, 429, 503, 529})
"""The server says that it did not act: anything may be sent again. (529 is what some call "overloaded".)"""
_MAYBE_ACTED = frozenset({500, 502, 504})
"""The server may have acted: only what is safe to repeat is sent again."""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds from now a server wants us to wait; None if it does not say."""
    millis = headers.get("Retry-After-Ms", "")
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(millis) / 1000 if millis else float(value))
    except ValueError:
        pass
    try:
        # A date; one without a zone counts as GMT, as HTTP has it.
        when = parsedate_to_datetime(value)
        return max(0.0, when.timestamp() - time.time())
    except (ValueError, TypeError):
        return None


@dataclass(slots=True)
class Backoff:
    """Counts the tries of one request."""

    request: Request
    answers: int = 0
    failures: int = 0

    def after_answer(self, status: int, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait before the next try; None means take the answer as it is."""
        retries = self.request.retries
        wish = headers.get("X-Should-Retry", "")
        acted = status in _MAYBE_ACTED
        if not (acted or status in _REFUSED_UNREAD) or wish == "false" or self.answers >= retries.times:
            return None
        if acted and not self.request.may_repeat:
            return None
        self.answers += 1
        asked = retry_after_s(headers)
        if asked is not None:
            return asked if asked <= retries.cap_s else None
        return _jittered(retries.base_s, self.answers, retries.cap_s)

    def after_failure(self, error: HttpError) -> float | None:
        """Return the seconds to wait before the next try; None means let the error through."""
        retries = self.request.retries
        sent = error.sent if isinstance(error, Unreachable) else True
        if isinstance(error, Untrusted):
            return None  # it will be the same certificate
        if not isinstance(error, Unreachable) and not (
            isinstance(error, TimedOut) and error.phase == "connect"
        ):
            return None
        if isinstance(error, Unreachable) and sent and not self.request.may_repeat:
            return None
        if self.failures >= retries.connect_times:
            return None
        self.failures += 1
        return _jittered(retries.connect_base_s, self.failures, retries.cap_s)


def _jittered(base_s: float, tries: int, cap_s: float) -> float:
    return random.uniform(0, min(cap_s, base_s * 2.0 ** (tries - 1)))
