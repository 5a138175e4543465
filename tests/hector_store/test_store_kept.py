"""What is kept beside the log: state by scope, rules about contexts, and deleting them."""

import asyncio

import pytest

from hector_mesh import HectorError
from hector_store import Database, Kept, NewEvent, NewRun, RunChanges, RunLog, StateChange, States
from hector_store.kept import Scope
from hector_store.states import Origin

DONE = "RUN_STATE_COMPLETED"


def a_run(**fields: object) -> NewRun:
    return NewRun(**{"app": "default", "owner": "ann", "agent": "helper", "context_id": "c1"} | fields)  # type: ignore[arg-type]


def said(scope: Scope, name: str, value: bytes) -> StateChange:
    owner, context = {"session": ("ann", "c1"), "user": ("ann", ""), "app": ("", "")}[scope]
    return StateChange(scope, owner, context, name, value)


async def test_a_session_sees_its_own_state_its_users_and_its_apps(database: Database) -> None:
    log, states = RunLog(database), States(database)
    assert not await states.any("default")
    kept = Kept((said("session", "x", b"1"), said("user", "x", b"2"), said("app", "x", b"3")))
    await log.create(a_run(), [NewEvent("state_changed")], kept)
    assert await states.seen_by("default", "ann", "c1") == {
        "session": {"x": b"1"},
        "user": {"x": b"2"},
        "app": {"x": b"3"},
    }
    other = {"session": {}, "user": {"x": b"2"}, "app": {"x": b"3"}}
    assert await states.seen_by("default", "ann", "c2") == other
    assert await states.seen_by("default", "bob", "c1") == other | {"user": {}}
    assert await states.seen_by("default", "", "") == other | {"user": {}}
    assert await states.seen_by("elsewhere", "ann", "c1") == {"session": {}, "user": {}, "app": {}}
    assert await states.any("default")
    assert not await states.any("elsewhere")


async def test_the_latest_change_of_a_key_wins_also_within_one_commit(database: Database) -> None:
    log, states = RunLog(database), States(database)
    run = await log.create(a_run(), [NewEvent("a")])
    for values in ((b"1", b"2"), (b"3", b"4")):
        kept = Kept(tuple(said("user", "k", value)._replace(event=n) for n, value in enumerate(values)))
        await log.append(run.run_id, 1, [NewEvent("a"), NewEvent("a")], kept=kept)
        assert (await states.seen_by("default", "ann", "c1"))["user"] == {"k": values[-1]}
    await log.append(run.run_id, 1, [NewEvent("a")], kept=Kept((said("user", "k", b""),)))
    assert (await states.seen_by("default", "ann", "c1"))["user"] == {}


async def test_many_may_change_one_key_at_once(database: Database) -> None:
    log, states = RunLog(database), States(database)
    runs = [await log.create(a_run(context_id=f"c{n}"), [NewEvent("a")]) for n in range(20)]

    async def change(run_id: str, value: int) -> None:
        changes = tuple(said("user", f"k{n}", b"%d" % value) for n in range(3))
        await log.append(run_id, 1, [NewEvent("a")], kept=Kept(changes))

    await asyncio.gather(*(change(run.run_id, n) for n, run in enumerate(runs)))
    found = (await states.seen_by("default", "ann", "c1"))["user"]
    assert len(found) == 3
    assert len(set(found.values())) == 1, "a commit is one step"


async def test_what_is_not_written_changes_no_state(database: Database) -> None:
    log, states = RunLog(database), States(database)
    run = await log.create(a_run(), [NewEvent("a")])
    kept = Kept((said("session", "x", b"1"),))
    with pytest.raises(HectorError) as fenced:
        await log.append(run.run_id, 7, [NewEvent("a")], kept=kept)
    assert fenced.value.reason == "RUN_FENCED"
    with pytest.raises(HectorError) as unfit:
        await log.append(run.run_id, 1, [NewEvent("a")], kept=Kept((said("session", "x" * 129, b"1"),)))
    assert unfit.value.reason == "INVALID_VALUE"
    assert not await states.any("default")


async def test_a_context_is_as_a_new_runs_rule_says(log: RunLog) -> None:
    for rule, wrong in (
        ("there", "SESSION_NOT_FOUND"),
        ("new", ""),
        ("new", "SESSION_EXISTS"),
        ("there", ""),
    ):
        if wrong:
            with pytest.raises(HectorError) as refused:
                await log.create(a_run(context_rule=rule))
            assert refused.value.reason == wrong
        else:
            await log.create(a_run(context_rule=rule, state=DONE))
    at_work = await log.create(a_run(context_rule="idle"))
    with pytest.raises(HectorError) as busy:
        await log.create(a_run(context_rule="idle"))
    assert busy.value.facts["run"] == at_work.run_id
    await log.append(at_work.run_id, 1, [], RunChanges(state="RUN_STATE_INPUT_REQUIRED"))
    await log.create(a_run(context_rule="idle"))
    await log.create(a_run(context_rule="idle", owner="bob"))


async def test_of_many_that_want_an_idle_context_at_once_one_gets_it(log: RunLog) -> None:
    wanted = await asyncio.gather(
        *(log.create(a_run(context_rule="idle")) for _ in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in wanted) == 1


async def test_a_context_goes_with_its_state_and_only_when_all_in_it_is_over(database: Database) -> None:
    log, states = RunLog(database), States(database)
    kept = Kept((said("session", "x", b"1"), said("user", "x", b"2")))
    await log.create(a_run(state=DONE), [NewEvent("a")], kept)
    at_work = await log.create(a_run())
    with pytest.raises(HectorError) as busy:
        await log.delete_context("default", "ann", "c1")
    assert (busy.value.reason, busy.value.facts["run"]) == ("SESSION_BUSY", at_work.run_id)
    await log.append(at_work.run_id, 1, [], RunChanges(state=DONE))
    assert await log.delete_context("default", "ann", "c1") == 2
    assert await states.seen_by("default", "ann", "c1") == {"session": {}, "user": {"x": b"2"}, "app": {}}
    assert await log.delete_context("default", "ann", "c1") == 0


async def test_no_run_is_deleted_that_begins_while_its_context_goes(log: RunLog) -> None:
    """Ours: it is either seen, and the context stays, or it begins the context anew."""
    for number in range(20):
        context = f"c{number}"
        await log.create(a_run(context_id=context, state=DONE))
        begun, gone = await asyncio.gather(
            log.create(a_run(context_id=context)),
            log.delete_context("default", "ann", context),
            return_exceptions=True,
        )
        assert not isinstance(begun, BaseException)
        assert isinstance(gone, int) or (isinstance(gone, HectorError) and gone.reason == "SESSION_BUSY")
        assert await log.get("default", "ann", begun.run_id) is not None


async def test_a_turn_is_told_what_was_said_between_two_positions_and_who_is_at_work(log: RunLog) -> None:
    states = [DONE, "RUN_STATE_INPUT_REQUIRED", "RUN_STATE_WORKING", DONE, "RUN_STATE_SUBMITTED", DONE]
    runs = []
    for number, state in enumerate(states, 1):
        kept = Kept((said("session", "n", b"%d" % number),))
        events = [NewEvent("in", b"%d" % number), NewEvent("other"), NewEvent("out")]
        runs.append((await log.create(a_run(state=state), events, kept)).run_id)
    await log.create(a_run(kind="state", state=DONE), [NewEvent("in")])  # has no place
    whole = await log.told("default", "ann", "c1", kinds=["in"])
    assert [event.payload for event in whole.events] == [b"1", b"2", b"3", b"4", b"5", b"6"]
    assert whole.scopes["session"] == {"n": b"6"}
    assert whole.at_work == ((5, runs[4]), (3, runs[2]))
    some = await log.told("default", "ann", "c1", after_position=2, before_position=5, kinds=["in", "out"])
    assert [event.run_id for event in some.events] == [runs[2], runs[2], runs[3], runs[3]]
    assert some.at_work == ((3, runs[2]),)
    assert await log.at_work("default", "ann", "c1", 5) == [runs[2]]
    assert await log.at_work("default", "bob", "c1", 5) == []


async def test_state_is_made_anew_from_what_events_say(database: Database) -> None:
    """Ours: a projection can be rebuilt, and turns go on meanwhile."""
    log, states = RunLog(database), States(database)
    first = await log.create(a_run(state=DONE), [NewEvent("state_changed")], Kept((said("user", "x", b"1"),)))
    assert not await states.is_built()
    since = await states.time() + 60_000_000
    key = ("default", "ann", "", "user", "x")
    right = {key: (b"2", Origin(first.time_us, first.run_id, 1))}
    assert await states.replace(right, since) == 1
    assert await states.replace(right, since) == 0
    assert await states.is_built()
    assert (await states.seen_by("default", "ann", "c1"))["user"] == {"x": b"2"}
    assert await states.replace({}, since) == 1, "nobody says so"
    assert (await states.seen_by("default", "ann", "c1"))["user"] == {}
    await log.create(a_run(state=DONE), [NewEvent("state_changed")], Kept((said("user", "x", b"3"),)))
    assert await states.replace({}, 0) == 0, "newer than what was read"
    await log.delete_context("default", "ann", "c1")
    assert await states.replace({}, since) == 0, "who said so is not kept any more"
    assert (await states.seen_by("default", "ann", "c2"))["user"] == {"x": b"3"}


async def test_a_process_knows_in_which_apps_state_outlives_a_session(database: Database) -> None:
    states = States(database)
    async with states.followed():
        assert (await states.seen_by_new("default", "ann"))["user"] == {}
        await RunLog(database).create(
            a_run(), [NewEvent("a")], Kept((said("user", "x", b"1"),), app="default")
        )
        assert (await states.seen_by_new("default", "ann"))["user"] == {"x": b"1"}
        assert (await states.seen_by_new("default", "bob"))["user"] == {}
    database.scoped_apps.clear()  # as another process, which has not looked yet
    async with states.followed():
        assert (await states.seen_by_new("default", "ann"))["user"] == {"x": b"1"}
