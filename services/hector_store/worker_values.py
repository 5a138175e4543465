"""What is said of workers and of runs that they claim. Times are microseconds by the database's clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .values import RunRow

SHORTEST_LEASE_S, LONGEST_LEASE_S = 1.0, 3600.0

DUE, ORPHANED = "due", "orphaned"


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that works on runs, as it introduces itself. After its lease it needs another id."""

    id: str
    target: str = ""
    """Where other replicas reach it; "" where they cannot."""
    host: str = ""
    pid: int = 0
    parent: str = ""
    """The process that started it, and knows at once when it is dead."""
    version: str = ""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as the database knows it."""

    id: str
    target: str
    host: str
    pid: int
    parent: str
    version: str
    started_time_us: int
    lease_until_us: int
    is_alive: bool
    """Whether it had its lease when this was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Which runs a worker would take, and how many."""

    limit: int
    """How many more it has room for."""
    agents: frozenset[str] | None = None
    """Only these agents' runs; None: any."""
    apps: frozenset[str] | None = None
    per_app: Mapping[str, int] = field(default_factory=dict)
    """Most runs of an app that are worked on at once, by all workers together."""
    per_agent: Mapping[str, int] = field(default_factory=dict)
    """Likewise of an agent (of each app)."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """How much more than others an app gets while several have runs to do; 1 if not named."""
    but: frozenset[str] = frozenset()
    """Ids of runs to leave to others."""


class Claimed(NamedTuple):
    """A run that is the worker's from now on, under the epoch in its row."""

    row: RunRow
    reason: str
    """"due": nobody had it. "orphaned": its worker is gone."""
    before: str
    """The worker that had it; "" if nobody."""
    late_us: int = 0
    """For how long it had been due; 0 if its worker was gone."""
