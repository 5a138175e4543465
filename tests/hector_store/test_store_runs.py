"""Runs and their events: created, appended to, fenced, read back."""

import asyncio
from typing import Any

import pytest

from hector_mesh import HectorError
from hector_store import TERMINAL_STATES, Appended, Effect, NewEvent, NewRun, RunChanges, RunLog, new_id
from hector_store.schema import INLINE_BYTES


def a_run(**fields: object) -> NewRun:
    return NewRun(**{"app": "default", "owner": "ann", "agent": "helper", "context_id": "c1"} | fields)  # type: ignore[arg-type]


async def test_a_new_run_reads_back_as_it_was_given(log: RunLog) -> None:
    given = a_run(
        kind="session",
        parent="p",
        state="RUN_STATE_WORKING",
        status_time_us=7,
        is_task=False,
        revision="r1",
        priority=3,
        worker="w1",
        worker_target="dns:///w1:7010",
        wake_at_us=8,
        deadline_us=9,
        view=b"view\0",
        strategy_name="default",
        strategy_version=2,
        strategy_state=b"\xff",
    )
    created = await log.create(given, [NewEvent("message_received", b"hello")])
    run = await log.get("default", "ann", created.run_id)
    assert run is not None
    only_new = {"id", "lease_s", "idempotency_key", "idempotency_hash", "pushes"}
    only_new |= {"new_context", "context_rule"}
    for name in set(NewRun._fields) - only_new:
        assert getattr(run, name) == getattr(given, name), name
    assert (run.id, run.context_position, run.epoch) == (
        created.run_id,
        created.context_position,
        created.epoch,
    )
    assert (run.next_seq, created.last_seq, run.attempt, run.lease_until_us) == (2, 1, 0, 0)
    assert run.created_time_us == created.time_us


async def test_events_are_numbered_from_one_without_gaps(log: RunLog) -> None:
    created = await log.create(a_run(), [NewEvent("a", b"1"), NewEvent("b", b"2", needs=4)])
    appended = await log.append(created.run_id, created.epoch, [NewEvent("c", b"3")])
    events = await log.events("default", created.run_id)
    assert [(e.seq, e.kind, e.payload, e.needs) for e in events] == [
        (1, "a", b"1", 0),
        (2, "b", b"2", 4),
        (3, "c", b"3", 0),
    ]
    assert appended == Appended(3, events[2].time_us)
    assert {(e.app, e.run_id) for e in events} == {("default", created.run_id)}


async def test_large_payloads_keep_their_place_among_small_ones(log: RunLog) -> None:
    large = b"x" * INLINE_BYTES + b"y"
    created = await log.create(
        a_run(), [NewEvent("a", b"1"), NewEvent("b", large, needs=2), NewEvent("c", b"3")]
    )
    appended = await log.append(created.run_id, created.epoch, [NewEvent("d", b"4")])
    events = await log.events("default", created.run_id)
    assert [(e.seq, e.kind, e.payload == large, e.needs) for e in events] == [
        (1, "a", False, 0),
        (2, "b", True, 2),
        (3, "c", False, 0),
        (4, "d", False, 0),
    ]
    assert appended.last_seq == 4


async def test_events_are_read_from_a_place_on_and_limited(log: RunLog) -> None:
    created = await log.create(a_run(), [NewEvent("a", str(n).encode()) for n in range(1, 10)])
    assert [e.seq for e in await log.events("default", created.run_id, after=6)] == [7, 8, 9]
    assert [e.seq for e in await log.events("default", created.run_id, after=2, limit=2)] == [3, 4]
    assert await log.events("default", created.run_id, after=9) == []
    assert await log.events("other", created.run_id) == []
    assert await log.events("default", "nothing") == []


async def test_an_append_changes_what_it_names_and_nothing_else(log: RunLog) -> None:
    created = await log.create(a_run(view=b"before", strategy_state=b"s", wake_at_us=5))
    before = await log.get("default", "ann", created.run_id)
    appended = await log.append(
        created.run_id, 1, [], RunChanges(state="RUN_STATE_WAITING", view=b"", wake_at_us=0, attempt=2)
    )
    after = await log.get("default", "ann", created.run_id)
    assert before is not None
    assert after is not None
    assert (after.state, after.view, after.wake_at_us, after.attempt) == ("RUN_STATE_WAITING", b"", 0, 2)
    assert after.status_time_us == appended.time_us
    assert appended.last_seq == 0
    assert (after.strategy_state, after.is_task, after.agent) == (b"s", before.is_task, before.agent)


async def test_a_state_may_have_a_time_of_its_own(log: RunLog) -> None:
    created = await log.create(a_run())
    await log.append(created.run_id, 1, [], RunChanges(state="RUN_STATE_WORKING", status_time_us=42))
    await log.append(created.run_id, 1, [], RunChanges(view=b"v"))
    run = await log.get("default", "ann", created.run_id)
    assert run is not None
    assert run.status_time_us == 42


async def test_appends_to_one_run_at_once_keep_their_order(log: RunLog) -> None:
    created = await log.create(a_run())
    appends = [
        log.append(created.run_id, 1, [NewEvent("n", str(n).encode())], RunChanges(view=str(n).encode()))
        for n in range(200)
    ]
    outcomes = await asyncio.gather(*appends)
    assert [outcome.last_seq for outcome in outcomes] == list(range(1, 201))
    events = await log.events("default", created.run_id)
    assert [int(event.payload) for event in events] == list(range(200))
    run = await log.get("default", "ann", created.run_id)
    assert run is not None
    assert run.view == b"199"


async def test_a_writer_that_lost_its_run_writes_nothing(log: RunLog) -> None:
    """architecture.md: every write carries the epoch; only the stale caller fails."""
    stale = await log.create(a_run(), [NewEvent("a")])
    fresh = await log.create(a_run())
    assert await log.take_over(stale.run_id, "w2") == 2
    lost, kept, new = await asyncio.gather(
        log.append(stale.run_id, 1, [NewEvent("late")], RunChanges(view=b"late")),
        log.append(fresh.run_id, 1, [NewEvent("b")]),
        log.append(stale.run_id, 2, [NewEvent("c")]),
        return_exceptions=True,
    )
    assert isinstance(lost, HectorError)
    assert lost.reason == "RUN_FENCED"
    assert lost.code.name == "ABORTED"
    assert lost.facts == {"run_id": stale.run_id, "epoch": "1", "current_epoch": "2"}
    assert isinstance(kept, Appended)
    assert isinstance(new, Appended)
    assert [event.kind for event in await log.events("default", stale.run_id)] == ["a", "c"]


async def test_more_runs_than_fit_into_a_statement_are_appended_to_at_once(log: RunLog) -> None:
    made = await asyncio.gather(*(log.create(a_run(context_id="")) for _ in range(1300)))
    appended = await asyncio.gather(*(log.append(run.run_id, 1, [NewEvent("a")]) for run in made))
    assert [outcome.last_seq for outcome in appended] == [1] * 1300
    for run in (made[0], made[700], made[-1]):
        assert len(await log.events("default", run.run_id)) == 1


async def test_a_run_that_is_not_there_cannot_be_written(log: RunLog) -> None:
    for write in (
        log.append("nothing", 1, [NewEvent("a")]),
        log.signal("default", "nothing", "cancel"),
        log.take_over("nothing", "w"),
    ):
        with pytest.raises(HectorError) as caught:
            await write
        assert caught.value.reason == "RUN_NOT_FOUND"


async def test_taking_over_is_lost_by_the_slower(log: RunLog) -> None:
    created = await log.create(a_run())
    outcomes = await asyncio.gather(
        *(log.take_over(created.run_id, f"w{n}", lease_s=30, if_epoch=1) for n in range(5)),
        return_exceptions=True,
    )
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [2]
    assert all(
        isinstance(o, int) or (isinstance(o, HectorError) and o.reason == "RUN_FENCED") for o in outcomes
    )
    run = await log.get("default", "ann", created.run_id)
    assert run is not None
    assert (run.worker, run.epoch, run.attempt) == ("w0", 2, 1)
    assert run.lease_until_us >= run.created_time_us + 30_000_000


async def test_the_same_key_gives_the_same_run(log: RunLog) -> None:
    first = await log.create(a_run(idempotency_key="k", idempotency_hash="h"), [NewEvent("a")])
    again = await log.create(a_run(idempotency_key="k", idempotency_hash="h"), [NewEvent("b")])
    assert (again.run_id, again.context_position, again.last_seq) == (first.run_id, 1, 1)
    assert (first.repeated, again.repeated) == (False, True)
    assert [event.kind for event in await log.events("default", first.run_id)] == ["a"]
    elsewhere = await log.create(a_run(owner="bob", idempotency_key="k", idempotency_hash="h"))
    assert elsewhere.run_id != first.run_id


async def test_the_same_key_at_once_gives_one_run(log: RunLog) -> None:
    creations = [log.create(a_run(idempotency_key="k", idempotency_hash="h")) for _ in range(20)]
    made = await asyncio.gather(*creations)
    assert len({created.run_id for created in made}) == 1
    assert sum(not created.repeated for created in made) == 1
    assert (await log.list("default", None)).total_size == 1


async def test_a_key_used_for_something_else_is_refused(log: RunLog) -> None:
    await log.create(a_run(idempotency_key="k", idempotency_hash="h"))
    with pytest.raises(HectorError) as caught:
        await log.create(a_run(idempotency_key="k", idempotency_hash="other"))
    assert caught.value.reason == "IDEMPOTENCY_MISMATCH"


async def test_positions_in_a_context_have_no_gaps_and_no_twins(log: RunLog) -> None:
    """architecture.md: turns of one context run one after another, in commit order."""
    made = await asyncio.gather(*(log.create(a_run(context_id=f"c{n % 3}")) for n in range(90)))
    for context in range(3):
        positions = [created.context_position for n, created in enumerate(made) if n % 3 == context]
        assert positions == list(range(1, 31))
    assert (await log.create(a_run(owner="bob", context_id="c0"))).context_position == 1
    assert (await log.create(a_run(app="other", context_id="c0"))).context_position == 1


async def test_runs_without_a_context_have_no_position(log: RunLog) -> None:
    made = await asyncio.gather(*(log.create(a_run(kind="index", context_id="")) for _ in range(3)))
    assert [created.context_position for created in made] == [0, 0, 0]


async def test_a_given_id_is_kept_and_taken_only_once(log: RunLog) -> None:
    run_id = new_id()
    assert (await log.create(a_run(id=run_id))).run_id == run_id
    with pytest.raises(HectorError) as caught:
        await log.create(a_run(id=run_id))
    assert caught.value.reason == "RUN_EXISTS"


async def test_one_bad_creation_among_many_fails_alone(log: RunLog) -> None:
    taken = await log.create(a_run())
    outcomes = await asyncio.gather(
        *(log.create(a_run(id=taken.run_id if n == 5 else ""), [NewEvent("a")]) for n in range(10)),
        return_exceptions=True,
    )
    assert [isinstance(outcome, HectorError) for outcome in outcomes] == [n == 5 for n in range(10)]
    assert sorted(o.context_position for o in outcomes if not isinstance(o, BaseException)) == list(
        range(2, 11)
    )


async def test_what_is_somebody_elses_is_not_there(log: RunLog) -> None:
    created = await log.create(a_run())
    assert await log.get("default", "bob", created.run_id) is None
    assert await log.get("other", "ann", created.run_id) is None
    assert await log.get("default", None, created.run_id) is not None
    with pytest.raises(HectorError):
        await log.signal("other", created.run_id, "cancel")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owner", "x" * 256),
        ("context_id", "a\0b"),
        ("context_id", "ends with space "),
        ("app", ""),
        ("agent", "x" * 129),
    ],
)
async def test_values_that_do_not_fit_are_refused_before_they_are_queued(
    log: RunLog, field: str, value: str
) -> None:
    with pytest.raises(HectorError) as caught:
        await log.create(a_run(**{field: value}))
    assert caught.value.reason == "INVALID_VALUE"
    assert field.split("_")[0] in str(caught.value)


@pytest.mark.parametrize(
    "write",
    [
        {"changes": RunChanges(state="x" * 65)},
        {"changes": RunChanges(strategy_name="x" * 129)},
        {"events": [NewEvent("x" * 65)]},
        {"effects": [Effect(effect_id="")]},
    ],
)
async def test_appends_that_do_not_fit_write_nothing(log: RunLog, write: dict[str, Any]) -> None:
    created = await log.create(a_run())
    with pytest.raises(HectorError) as caught:
        await log.append(created.run_id, 1, **write)
    assert caught.value.reason == "INVALID_VALUE"
    run = await log.get("default", "ann", created.run_id)
    assert run is not None
    assert (run.next_seq, run.state) == (1, "RUN_STATE_SUBMITTED")


async def test_ids_are_told_apart_by_case_and_by_script(log: RunLog) -> None:
    for context in ("Ä", "ä", "A", "a", "\uff41"):
        assert (await log.create(a_run(context_id=context))).context_position == 1


async def test_unfinished_runs_are_those_in_no_terminal_state(log: RunLog) -> None:
    made = {state: await log.create(a_run(state=state, worker="w1")) for state in sorted(TERMINAL_STATES)}
    working = await log.create(a_run(state="RUN_STATE_WORKING", worker="w1", view=b"v"))
    waiting = await log.create(a_run(state="RUN_STATE_FROM_THE_FUTURE", worker="w2"))
    found = await log.unfinished()
    assert [run.id for run in found] == [working.run_id, waiting.run_id]
    assert found[0].view == b"v"
    assert [run.id for run in await log.unfinished("w2")] == [waiting.run_id]
    some = ("RUN_STATE_FROM_THE_FUTURE", "RUN_STATE_INPUT_REQUIRED")
    assert [run.id for run in await log.unfinished(but=some)] == [working.run_id]
    await log.append(working.run_id, 1, [], RunChanges(state="RUN_STATE_FAILED"))
    revived = made["RUN_STATE_FAILED"]
    await log.append(revived.run_id, 1, [], RunChanges(state="RUN_STATE_WORKING"))
    assert {run.id for run in await log.unfinished()} == {waiting.run_id, revived.run_id}
