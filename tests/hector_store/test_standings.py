"""How runs stand that others work on: read for many at once, with where their workers can be reached."""

import pytest

from hector_mesh import HectorError
from hector_store import Database, NewEvent, NewRun, RunChanges, RunLog, Standing, Worker, Workers


async def begun(log: RunLog, worker: str = "", context: str = "s") -> str:
    new = NewRun(app="default", owner="ann", agent="helper", context_id=context, worker=worker)
    return (await log.create(new, [NewEvent("message_received")])).run_id


async def test_a_run_stands_with_where_its_worker_is_reached(database: Database, log: RunLog) -> None:
    await Workers(database).join(Worker("w1", target="dns:///one:7010", host="one"), lease_s=60)
    mine, nobodys = await begun(log, "w1"), await begun(log)
    gone = await begun(log, "w0")
    found = await log.standings([mine, nobodys, gone, "there is none"])
    state = "RUN_STATE_SUBMITTED"
    assert found == {
        mine: Standing(mine, "default", "ann", state, 2, 1, "w1", "dns:///one:7010", "one"),
        nobodys: Standing(nobodys, "default", "ann", state, 2, 1, "", "", ""),
        gone: Standing(gone, "default", "ann", state, 2, 1, "w0", "", ""),
    }
    await log.append(mine, 1, [NewEvent("status_changed")], RunChanges(state="RUN_STATE_COMPLETED"))
    standing = (await log.standings([mine]))[mine]
    assert (standing.next_seq, standing.finished) == (3, True)


async def test_many_runs_are_read_at_once(log: RunLog) -> None:
    runs = [await begun(log, context=f"s{number}") for number in range(5)]
    wanted = [*runs, *(f"none-{number}" for number in range(600))]
    assert set(await log.standings(wanted)) == set(runs)


async def test_a_run_is_taken_up_by_one_though_its_epoch_was_read_again(log: RunLog) -> None:
    """Ours: between a take-over and its commit a run still looks as if it waited."""
    run = await begun(log)
    await log.take_over(run, "w1", if_epoch=1, if_worker="")
    row = await log.get("default", "ann", run)
    assert row is not None
    with pytest.raises(HectorError) as fenced:
        await log.take_over(run, "w2", if_epoch=row.epoch, if_worker="")
    assert fenced.value.reason == "RUN_FENCED"
    assert await log.take_over(run, "w2", if_epoch=row.epoch, if_worker="w1") == row.epoch + 1
