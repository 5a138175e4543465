"""Push notification configs as values: what goes into `push_configs` and comes out of it."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PushState = Literal["active", "dead", "done"]
"""Active: something is to be sent, or will be. Dead: given up until somebody sees to it. Done: the run is
over, and everything was delivered."""


class NewPush(NamedTuple):
    """A config that is not yet kept. One of the same run and id is replaced."""

    id: str
    url: str
    secret: bytes = b""
    """What the receiver knows us by. Kept as it is; whoever hands it over may have sealed it."""
    dialect: str = ""
    """What notifications look like."""
    traceparent: str = ""
    """Of the call that wanted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRow:
    """A config as last committed. Events of its run up to `delivered` have been confirmed by the receiver."""

    run_id: str
    id: str
    app: str
    owner: str
    agent: str
    url: str
    secret: bytes = field(repr=False)
    dialect: str
    traceparent: str
    state: PushState
    start: int
    """The first notification shows the run as of this event; each later one an event behind it."""
    delivered: int
    """start - 1: nothing yet."""
    pledged: int
    """The last event of the notification under way, so that a restart makes the same one; 0: not settled."""
    attempts: int
    """How many failed since the last success."""
    next_time_us: int
    """No attempt before this time."""
    error: str
    """Why the last attempt failed."""
    created_time_us: int
    updated_time_us: int
    epoch: int
    """Goes up whenever somebody else comes to own it, or it is replaced or driven anew."""

    @property
    def key(self) -> "PushKey":
        """Which config it is, and as of when."""
        return PushKey(self.run_id, self.id, self.epoch)


class PushKey(NamedTuple):
    """One config at one epoch: who has another epoch writes nothing."""

    run_id: str
    id: str
    epoch: int


class PushProgress(NamedTuple):
    """How far a config's deliveries are."""

    delivered: int
    pledged: int = 0
    attempts: int = 0
    state: PushState = "active"
    wait_s: float = 0.0
    """Seconds until the next attempt."""
    error: str = ""


class PendingPush(NamedTuple):
    """An active config that may have something to send."""

    key: PushKey
    url: str
    attempts: int
    wait_s: float
    """Seconds until its next attempt; 0: now."""
    is_behind: bool
    """The run's log goes on behind what was delivered, or the run is over."""
    worker: str = ""
    """Who delivers for it; "" is nobody yet."""
    is_held: bool = False
    """That worker has its lease."""


class PushPage(NamedTuple):
    """One page of configs, the oldest first."""

    configs: tuple[PushRow, ...]
    next_page_token: str
