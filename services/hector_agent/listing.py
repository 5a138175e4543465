"""Lists tasks by A2A's rules: the latest change first, in pages, without artifacts unless asked for."""

import hector_a2a as a2a
from hector.agent.v1 import RunState
from hector_mesh import Call
from hector_store import RunLog

from .ledger import task_of
from .view import SHOWN, TASK_STATES, TOLD, trimmed

PAGE_SIZE, LARGEST_PAGE = 50, 100


async def list_tasks(
    log: RunLog, call: Call, request: "a2a.ListTasksRequest", agent: str
) -> "a2a.ListTasksResponse":
    """Return the caller's tasks that match, of one agent or of all.

    Raises:
        InvalidParams: The page size is out of bounds, or the history length is negative.
        InvalidPageToken: The token is none of ours.
    """
    size = request.page_size if request.HasField("page_size") else PAGE_SIZE
    wrong = {}
    if not 1 <= size <= LARGEST_PAGE:
        wrong["pageSize"] = f"must be between 1 and {LARGEST_PAGE}, found {size}"
    if request.history_length < 0:
        wrong["historyLength"] = "must not be negative"
    if wrong:
        raise a2a.InvalidParams(wrong)
    since = request.status_timestamp_after
    page = await log.list(
        call.app,
        call.principal.id,
        context_id=request.context_id or None,
        agent=agent or None,
        states=_states(request.status) if request.status else None,
        # A2A's "after" includes the moment itself; the log's does not.
        status_after_us=since.ToMicroseconds() - 1 if request.HasField("status_timestamp_after") else None,
        only_tasks=True,
        page_size=size,
        page_token=request.page_token,
    )
    history = request.history_length if request.HasField("history_length") else None
    untold = [row for row in page.runs if request.include_artifacts or not row.view]
    events = await log.events_of(untold, SHOWN if request.include_artifacts else TOLD) if untold else {}
    tasks = [trimmed(task_of(row, events.get(row.id)), history) for row in page.runs]
    return a2a.ListTasksResponse(
        tasks=tasks, next_page_token=page.next_page_token, page_size=size, total_size=page.total_size
    )


def _states(wanted: int) -> list[str]:
    return [RunState.Name(state) for state, shown in TASK_STATES.items() if shown == wanted]
