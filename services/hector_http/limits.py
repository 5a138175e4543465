"""How long to wait, and how often to try."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds until we give up. The deadline of the call being served ends everything earlier."""

    connect_s: float = 10.0
    """Looking up the name, connecting, and the TLS handshake."""
    first_byte_s: float = 60.0
    """From the request's start to the answer's headers."""
    stall_s: float = 60.0
    """Between two reads of the body."""
    total_s: float = 600.0
    """Everything: retries, the waits between them, and reading the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often to try again, and how long to wait before.

    Waits double from `base_s` up to `cap_s` and are drawn at random from there down to zero ("full jitter"),
    so that many clients of one server do not come back together. A server's `Retry-After` wins, but one
    beyond `cap_s` or beyond the deadline is not waited for: the caller gets the answer as it is.
    """

    times: int = 2
    """Tries after the first, for answers that ask for it: 408, 425, 429, 500, 502, 503, 504, 529."""
    base_s: float = 0.5
    cap_s: float = 60.0
    connect_times: int = 2
    """Tries after the first when there is no connection: a server that restarts is back within a second,
    one that is not there should be reported before people lose patience."""
    connect_base_s: float = 0.25


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_RETRIES = Retries()
NO_RETRIES = Retries(times=0, connect_times=0)
