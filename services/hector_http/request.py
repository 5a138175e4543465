"""What to ask of a server."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hector_http.limits import DEFAULT_RETRIES, DEFAULT_TIMEOUTS, Retries, Timeouts

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, and how patient to be with it."""

    method: str
    """In capitals."""
    url: str
    """Absolute, http or https."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeouts: Timeouts = DEFAULT_TIMEOUTS
    retries: Retries = DEFAULT_RETRIES
    repeatable: bool | None = None
    """Sending it twice does no harm, so it is tried again even when it may have been received. None: it is,
    if HTTP says so of its method."""
    redirects: int = 0
    """How many redirects to follow. Headers that name or prove somebody stay with their origin."""
    max_body_bytes: int = 64 * 1024 * 1024
    """The answer's body, unpacked, may have at most this many."""

    @property
    def may_repeat(self) -> bool:
        return self.method in _SAFE if self.repeatable is None else self.repeatable
