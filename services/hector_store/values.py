"""What goes into the run log and comes out of it. Times are microseconds UTC by the database's clock.

What each answer makes several of are named tuples: a frozen dataclass takes three times as long to make.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from .push_values import NewPush

NOW, NEVER = 0, 2**62
"""As a time at which a run is due: from the commit on; not at all, unless something happens."""

TERMINAL_STATES = frozenset(
    {"RUN_STATE_COMPLETED", "RUN_STATE_FAILED", "RUN_STATE_CANCELED", "RUN_STATE_REJECTED"}
)
"""A run in one of these states is finished for good; in any other it is unfinished."""


class NewEvent(NamedTuple):
    """An event that is not yet in the log."""

    kind: str
    payload: bytes = b""
    needs: int = 0
    """Readers of event format `needs` or later may skip this event when they do not know its kind."""


class EventRow(NamedTuple):
    """An event as it was committed."""

    app: str
    run_id: str
    seq: int
    """1, 2, 3, ... within the run, without gaps."""
    kind: str
    needs: int
    time_us: int
    payload: bytes


class NewRun(NamedTuple):
    """A run to create.

    The first `NEW_RUN_COLUMNS` fields become columns as they are, in this order; the first `NEW_RUN_ALIKE` of
    these are texts that are the same in most runs of an agent.
    """

    app: str
    owner: str
    """The principal it belongs to; "" is nobody authenticated."""
    agent: str
    kind: str = "turn"
    """"turn", "session" (what is added by hand), "state" (a change of state alone, which has no position),
    "index" or "schedule"."""
    parent: str = ""
    state: str = "RUN_STATE_SUBMITTED"
    revision: str = ""
    worker: str = ""
    worker_target: str = ""
    """Where others reach the worker."""
    strategy_name: str = ""
    context_id: str = ""
    """The session; a run without one gets no position."""
    is_task: bool = True
    priority: int = 0
    wake_at_us: int = 0
    deadline_us: int = 0
    idempotency_hash: str = ""
    """What the key stands for: the same key with another hash is refused."""
    view: bytes = b""
    strategy_version: int = 0
    strategy_state: bytes = b""
    id: str = ""
    """Also the task id; the store makes one if it is empty."""
    new_context: bool = False
    """The context's id was made just now, so no other run is looked for in it."""
    context_rule: Literal["", "new", "there", "idle"] = ""
    """What the context must be, asked in the moment of the commit: without runs, with some, or with none that
    is at work. "": anything."""
    status_time_us: int = 0
    """0: the time of the commit."""
    lease_s: float = 0.0
    """Seconds from the commit until the lease ends; 0: no lease."""
    due_us: int = NEVER
    """When a worker shall take it, if it is nobody's: NOW, a time, or NEVER."""
    idempotency_key: str = ""
    """At most one run per app, owner and key; "" is none."""
    pushes: tuple[NewPush, ...] = ()
    """To whom its events are sent from the start."""


NEW_RUN_ALIKE = NewRun._fields.index("context_id")
NEW_RUN_COLUMNS = NewRun._fields.index("id")


class Created(NamedTuple):
    """What `RunLog.create` made, or found under the same idempotency key."""

    run_id: str
    context_position: int
    """1, 2, 3, ... within (app, owner, context); 0 without a context."""
    epoch: int
    last_seq: int
    """Sequence number of the run's last event; 0 when it has none."""
    time_us: int
    """When it was created."""
    repeated: bool
    """The run was there already, and nothing was written."""


class RunChanges(NamedTuple):
    """What an append changes in the run's row; None leaves a field as it is."""

    state: str | None = None
    status_time_us: int | None = None
    """The time of the commit, when `state` is given and this is not."""
    is_task: bool | None = None
    priority: int | None = None
    wake_at_us: int | None = None
    deadline_us: int | None = None
    attempt: int | None = None
    view: bytes | None = None
    strategy_name: str | None = None
    strategy_version: int | None = None
    strategy_state: bytes | None = None
    worker: str | None = None
    """"": the run is nobody's from this commit on."""
    due_us: int | None = None
    """When a worker shall take it: NOW, a time, or NEVER. Signals that wait make it NOW."""


NO_CHANGES = RunChanges()


class Appended(NamedTuple):
    """What `RunLog.append` committed."""

    last_seq: int
    time_us: int


class RunRow(NamedTuple):
    """A run as last committed."""

    id: str
    kind: str
    app: str
    owner: str
    agent: str
    context_id: str
    context_position: int
    parent: str
    state: str
    status_time_us: int
    is_task: bool
    revision: str
    priority: int
    worker: str
    worker_target: str
    epoch: int
    lease_until_us: int
    wake_at_us: int
    deadline_us: int
    due_us: int
    """When a worker shall take it, if it is nobody's."""
    attempt: int
    next_seq: int
    created_time_us: int
    strategy_name: str
    strategy_version: int
    view: bytes
    strategy_state: bytes = b""
    """Only `RunLog.get` fills it; b"" in lists."""

    @property
    def finished(self) -> bool:
        """Whether its state is a terminal one."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs."""

    runs: tuple[RunRow, ...]
    next_page_token: str
    """Asks for the next page; "" on the last one."""
    total_size: int
    """How many there are on all pages together."""


@dataclass(frozen=True, slots=True)
class ContextRow:
    """A session: what the runs of one context say about it."""

    app: str
    owner: str
    context_id: str
    agent: str
    """The agent of its latest run."""
    runs: int
    created_time_us: int
    updated_time_us: int
    """When the state of one of its runs changed last."""
    latest: int = 0
    """The position of its latest run."""


@dataclass(frozen=True, slots=True)
class ContextPage:
    """One page of sessions."""

    contexts: tuple[ContextRow, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class SignalRow:
    """Something said to a run by somebody who does not own it."""

    id: int
    run_id: str
    kind: str
    time_us: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A tool call: written before it is dispatched, and again when it is done. Same id, same row."""

    effect_id: str
    call_id: str = ""
    tool: str = ""
    policy: str = ""
    state: str = "started"
    """"started": in doubt until a result is there. Anything else ends it."""
    result_ref: str = ""
    started_time_us: int = 0
    finished_time_us: int = 0
