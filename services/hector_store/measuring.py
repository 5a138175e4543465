"""What is counted of a database: how long it takes, how much it takes at once, and what waits for it."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from hector_mesh import HectorError, metrics
from hector_mesh.metrics import ERRORS, OTHER, SHORT, SIZES, Counter, Gauge, Histogram

from .work import AnyWork, WriteQueue
from .worker_values import DUE, Claimed

COMMIT_S = Histogram("hector_db_commit_duration_seconds", "Group commits, until durable.", bounds=SHORT)
COMMIT_WRITES = Histogram("hector_db_commit_writes", "Writes that shared a commit.", bounds=SIZES)
WAIT_S = Histogram(
    "hector_db_queue_wait_seconds", "How long the oldest write of a commit had waited for it.", bounds=SHORT
)
QUERY_S = Histogram("hector_db_query_duration_seconds", "Reads, queueing included.", bounds=SHORT)
CLAIM_S = Histogram(
    "hector_claim_seconds",
    "How long runs that nobody had were due until a worker claimed them.",
    bounds=SHORT,
)
QUEUE_ROWS = Gauge("hector_db_queue_rows", "Rows that wait to be written, or are being written.")
QUEUE_BYTES = Gauge("hector_db_queue_bytes", "Bytes of those rows.")
OPEN = Gauge("hector_db_connections_open", "Open connections that read.")
IDLE = Gauge("hector_db_connections_idle", "Open connections that nobody uses at the moment.")
FAILED = Counter("hector_db_errors_total", "Reads and commits that failed, by reason.", ("error_type",))


def watch_queue(queue: WriteQueue) -> None:
    """Show how much waits."""
    QUEUE_ROWS.follow(lambda: queue.rows)
    QUEUE_BYTES.follow(lambda: queue.size_bytes)


def watch_pool(pool: Any) -> None:
    """Show the connections of one of SQLAlchemy's pools, if it is one that keeps some."""
    if hasattr(pool, "checkedin") and hasattr(pool, "checkedout"):
        OPEN.follow(lambda: pool.checkedin() + pool.checkedout())
        IDLE.follow(pool.checkedin)


def committed(works: Sequence[AnyWork], begun: float, failure: BaseException | None = None) -> None:
    """Take note of one group commit; for whoever writes them, in whichever thread.

    Args:
        works: What was written, the oldest first.
        begun: When it was begun, by `time.perf_counter`.
        failure: Why nothing was written, if nothing was.
    """
    if not metrics.enabled():
        return
    COMMIT_S.since(begun)
    COMMIT_WRITES.observe(value=len(works))
    WAIT_S.observe(value=begun - works[0].submitted_at)
    if failure is not None:
        failed(failure)


def claimed(runs: Sequence[Claimed]) -> None:
    """Take note of runs that were claimed."""
    for run in runs:
        if run.reason == DUE:
            CLAIM_S.observe(value=run.late_us / 1_000_000)


def read(begun: float, failure: BaseException | None = None) -> None:
    """Take note of one read."""
    QUERY_S.observe(value=perf_counter() - begun)
    if failure is not None:
        failed(failure)


def failed(error: BaseException) -> None:
    """Take note of a failure of the database itself."""
    reason = error.reason if isinstance(error, HectorError) else OTHER
    FAILED.add(reason)
    ERRORS.add("store", reason)
