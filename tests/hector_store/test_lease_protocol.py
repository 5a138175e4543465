"""The lease protocol, in more than 10,000 interleavings of everything that may happen to three processes.

They join, renew, stall past their leases and come back, are killed, are released by a parent, claim
(looking and taking apart, so that what was seen may be old; also with the answer lost), create, write, park,
finish and are sent signals, while the clock of the database runs, and is set forwards and back.
`support.lease_world` is
the world that they live in. Whatever the order:

* Of each epoch of a run only one worker writes: the one that created or claimed the run with it. Whoever had
  the run before is refused, and nothing of that write is kept.
* Epochs of a run rise by one with each claim, and are never given twice.
* Who has no lease claims nothing.
* No run is taken from a worker that has its lease; and none from one that is awake and stops at two thirds of
  its lease, unless somebody sets the database's clock.
* A lease that somebody has acted on the end of, or that was released, is never renewed: not even when the
  clock is set back.
* An unfinished run is never out of reach: a living worker knows of it; or its worker's lease will end; or
  nobody has it and it is due, has a timer, or waits for a signal, and then none waits unseen. When everybody
  is dead and a new worker comes, it gets everything but what waits.
* A run that its worker has let go, or a parent for it, can be claimed at once.
* A run that is over is never claimed.
* Events are numbered without gaps; each that was committed is there once, and nothing else is.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, bindparam, update
from support import lease_world
from support.lease_world import STEPS, World, laboratory

from hector_store import appending, claiming, leases, signals
from hector_store.appending import Append
from hector_store.clock import database_time
from hector_store.schema import runs, workers

PARTS, OF_A_PART = 4, 2_600
LONGEST = 120

Live = Callable[[bytes], World]


@pytest.mark.parametrize("part", range(PARTS))
def test_the_protocol_holds_in_every_order_of_things(part: int) -> None:
    with laboratory() as live:
        happened = explored(live, part, OF_A_PART)
    assert happened["worlds"] >= OF_A_PART
    for step in (*STEPS, "due", "orphaned", "fenced"):
        assert happened[step] > OF_A_PART // 20, f"hardly anything was seen of {step}: {happened}"


def explored(live: Live, number: int, examples: int, *, shrunk: bool = True) -> Counter[str]:
    happened: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, *([Phase.shrink] if shrunk else [])],
    )
    @given(st.binary(min_size=40, max_size=LONGEST))
    def explore(steps: bytes) -> None:
        happened.update(live(steps).happened)
        happened["worlds"] += 1

    explore()
    return happened


def no_fence(patch: pytest.MonkeyPatch) -> None:
    def unfenced(connection: Connection, appends: Sequence[Append]) -> object:
        rows = connection.exec_driver_sql("SELECT id, epoch FROM runs").all()
        epochs = {row[0]: row[1] for row in rows}
        return appending.append_all(connection, [one._replace(epoch=epochs[one.run_id]) for one in appends])

    patch.setattr(lease_world, "append_all", unfenced)


def claims_that_keep_the_epoch(patch: pytest.MonkeyPatch) -> None:
    values = {"worker": bindparam("by_worker"), "worker_target": bindparam("at_target")}
    patch.setattr(claiming, "_TAKE", update(runs).where(runs.c.id == bindparam("of_run")).values(values))


def claims_without_a_lease(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leases, "need_lease", lambda *_: None)


def claims_that_believe_what_they_saw(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leases, "end", lambda *_: set())


def renewals_of_what_is_over(patch: pytest.MonkeyPatch) -> None:
    later = database_time() + bindparam("lease_us")
    renew = update(workers).where(workers.c.id == bindparam("worker")).values(lease_until=later)
    patch.setattr(leases, "_RENEW", renew)


def releases_that_are_not_due(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leases, "_FREE", leases._FREE.values(due=runs.c.due + 0 * bindparam("at")))


def signals_that_wake_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(signals, "_WAKE", signals._WAKE.where(runs.c.id == ""))


def parking_without_a_look_at_signals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(appending, "_wake", lambda *_: None)


@pytest.mark.parametrize(
    "bug",
    [
        no_fence,
        claims_that_keep_the_epoch,
        claims_without_a_lease,
        claims_that_believe_what_they_saw,
        renewals_of_what_is_over,
        releases_that_are_not_due,
        signals_that_wake_nobody,
        parking_without_a_look_at_signals,
    ],
)
def test_a_bug_in_the_protocol_is_found(
    bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above can fail."""
    bug(monkeypatch)
    with laboratory() as live, pytest.raises(AssertionError):
        explored(live, 1, OF_A_PART, shrunk=False)
