"""A run as AgentService shows it."""

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_UNSPECIFIED, RUN_STATE_WAITING, Run
from hector_store import RunRow

from .commands.standing import HELD
from .ledger import state_of


def run_of(row: RunRow, *, retry_of: str = "") -> Run:
    """Return a run by its row; `retry_of`: at which one it is another attempt."""
    run = Run(
        name=row.id,
        agent=row.agent,
        session=row.context_id,
        state=state_of(row) or RUN_STATE_UNSPECIFIED,
        last_seq=row.next_seq - 1,
        revision=row.revision,
        parent=row.parent or "",
        retry_of=retry_of,
    )
    run.create_time.FromMicroseconds(row.created_time_us)
    run.status_time.FromMicroseconds(row.status_time_us)
    if run.state == RUN_STATE_WAITING:
        run.held = a2a.Task.FromString(row.view).metadata.fields[HELD].string_value
        if row.wake_at_us and not run.held:
            run.wake_time.FromMicroseconds(row.wake_at_us)
    return run
