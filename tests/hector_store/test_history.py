"""History that does not grow without bound: what goes when it is time, and what never does."""

import asyncio

import pytest
from sqlalchemy import func, select, update

from hector_store import Effect, NewEvent, NewPush, NewRun, RunChanges
from hector_store.clock import now
from hector_store.errors import RunNotFound
from hector_store.history import looking, pruning
from hector_store.history.belongings import of_owners, of_runs, unclaimed
from hector_store.history.chores import Chores
from hector_store.history.passing import Pass
from hector_store.history.pins import Pins
from hector_store.history.policy import Keep, Policy
from hector_store.history.values import Fold, Old
from hector_store.schema import push_configs, run_signals, runs

DAY_S = 86_400.0
DONE = RunChanges(state="RUN_STATE_COMPLETED")


def nothing(rows):
    return []


async def finished(log, *, days=0.0, app="app", owner="ada", agent="writer", context="", events=1, **more):
    """Make a run that has been over for so many days."""
    new = NewRun(app=app, owner=owner, agent=agent, context_id=context, **more)
    created = await log.create(new, [NewEvent("message_received", b"hello")] * events)
    await log.append(created.run_id, 1, [], DONE)
    await aged(log, created.run_id, days)
    return created.run_id


async def aged(log, run_id, days):
    def write(connection):
        then = now(connection) - int(days * DAY_S * 1e6)
        connection.execute(
            update(runs).where(runs.c.id == run_id).values(status_time=then, created_time=then)
        )

    await log._database.write(write)


async def count(database, table, *conditions):
    statement = select(func.count()).select_from(table).where(*conditions)
    return await database.read(lambda connection: connection.execute(statement).scalar_one())


async def passed(database, policy, folding=nothing, **options):
    return dict((await Pass(database, policy, folding, gently=False, **options).run()).counts)


def kept(**seconds):
    return Policy(Keep(**seconds))


async def there(log, *run_ids, app="app"):
    return [await log.get(app, None, run_id) is not None for run_id in run_ids]


async def test_runs_go_when_they_have_been_over_for_so_long(log, database):
    old, young = await finished(log, days=3, events=4), await finished(log, days=1)
    assert await passed(database, kept(runs_s=2 * DAY_S)) == {"runs": 1, "events": 4}
    assert await there(log, old, young) == [False, True]


async def test_nothing_goes_unless_somebody_says_so(log, database):
    run = await finished(log, days=10_000)
    assert await passed(database, Policy()) == {}
    assert await there(log, run) == [True]


async def test_what_is_not_over_stays_however_old_it_is(log, database):
    created = await log.create(NewRun(app="app", owner="ada", agent="writer", state="RUN_STATE_WORKING"))
    waiting = await log.create(
        NewRun(app="app", owner="ada", agent="writer", state="RUN_STATE_INPUT_REQUIRED")
    )
    for run in (created.run_id, waiting.run_id):
        await aged(log, run, 1000)
    assert await passed(database, kept(runs_s=0, sessions_s=0, compact_after_s=0, signals_s=0)) == {}
    assert await there(log, created.run_id, waiting.run_id) == [True, True]


async def test_the_closest_word_counts(log, database):
    policy = Policy(
        Keep(runs_s=10 * DAY_S),
        apps={"acme": Keep(runs_s=5 * DAY_S)},
        agents={"clerk": Keep(runs_s=3 * DAY_S)},
        agents_of_apps={("acme", "clerk"): Keep(runs_s=DAY_S)},
    )
    places = [
        ("app", "writer", 11, 9),
        ("acme", "writer", 6, 4),
        ("app", "clerk", 4, 2),
        ("acme", "clerk", 2, 0),
    ]
    for app, agent, old, young in places:
        gone = await finished(log, app=app, agent=agent, days=old)
        stays = await finished(log, app=app, agent=agent, days=young)
        assert (await passed(database, policy))["runs"] == 1
        assert await there(log, gone, stays, app=app) == [False, True]


async def test_what_is_pinned_stays(log, database):
    pins = Pins(database)
    run, other = await finished(log, days=9), await finished(log, days=9)
    session = [await finished(log, days=9, context="c") for _ in range(2)]
    await pins.pin_run("app", "ada", run)
    await pins.pin_session("app", "ada", "c")
    policy = kept(runs_s=DAY_S, sessions_s=DAY_S, compact_after_s=DAY_S, idempotency_keys_s=DAY_S)
    assert (await passed(database, policy))["runs"] == 1
    assert await there(log, run, *session, other) == [True, True, True, False]
    assert await pins.of("app", "ada") == [("", run), ("c", "")]
    assert await pins.unpin("app", "ada", context_id="c")
    assert (await passed(database, policy))["runs"] == 2
    assert not await pins.unpin("app", "ada", context_id="c")


async def test_nobody_pins_what_is_not_theirs(log, database):
    run = await finished(log, context="c")
    for pinning in (Pins(database).pin_run("app", "bob", run), Pins(database).pin_session("app", "bob", "c")):
        with pytest.raises(RunNotFound):
            await pinning


async def test_a_run_that_somebody_is_still_to_be_told_of_stays(log, database):
    push = NewPush(id="p", url="https://example.com", secret=b"", dialect="1.0", traceparent="")
    told = await finished(log, days=9, pushes=(push,))
    policy = kept(runs_s=DAY_S, compact_after_s=DAY_S, push_configs_s=DAY_S)
    assert await passed(database, policy, lambda rows: [Fold(2, b"", (1,))]) == {}
    for state in ("dead", "done"):
        await database.write(lambda db, state=state: db.execute(update(push_configs).values(state=state)))
        if state == "dead":  # it may be revived, and then reads the log
            assert (
                await passed(database, kept(compact_after_s=DAY_S), lambda rows: [Fold(2, b"", (1,))]) == {}
            )
    assert await passed(database, policy) == {"runs": 1, "events": 1, "push_configs": 1}
    assert await there(log, told) == [False]


async def test_a_session_goes_when_nothing_has_happened_in_it_for_so_long(log, database):
    idle = [await finished(log, context="idle", days=days) for days in (9, 8)]
    busy = [await finished(log, context="busy", days=9), await finished(log, context="busy", days=1)]
    waits = await finished(log, context="waits", days=9)
    await log.create(
        NewRun(app="app", owner="ada", agent="writer", context_id="waits", state="RUN_STATE_WORKING")
    )
    someones = await finished(log, context="idle", owner="bob", days=1)
    assert (await passed(database, kept(sessions_s=7 * DAY_S)))["runs"] == 2
    assert await there(log, *idle) == [False, False]
    assert await there(log, *busy, waits, someones) == [True] * 4


async def test_a_run_that_holds_what_its_session_needs_goes_with_the_session(log, database):
    policy = Policy(Keep(runs_s=DAY_S), held_by=["state_changed"])
    runs_of_session = [await finished(log, context="c", days=9) for _ in range(2)]
    await log.append(runs_of_session[0], 1, [NewEvent("state_changed", b"{}")])
    assert (await passed(database, policy))["runs"] == 1
    assert await there(log, *runs_of_session) == [True, False]
    assert (await passed(database, policy))["runs"] == 1  # alone, it holds nothing up
    assert await there(log, *runs_of_session) == [False, False]


async def test_what_belongs_to_a_run_has_ages_of_its_own(log, database):
    run = await finished(log, days=9, idempotency_key="k", idempotency_hash="h")
    await log.signal("app", run, "wake", b"x")
    await log.append(run, 1, effects=[Effect(effect_id="e", state="done")])
    policy = kept(signals_s=DAY_S, effects_s=DAY_S, idempotency_keys_s=DAY_S, push_configs_s=DAY_S)
    assert await passed(database, policy, dry=True) == {"run_signals": 1, "effects": 1, "idempotency_keys": 1}
    assert await passed(database, policy) == {"run_signals": 1, "effects": 1, "idempotency_keys": 1}
    assert await there(log, run) == [True]
    again = await log.create(
        NewRun(app="app", owner="ada", agent="writer", idempotency_key="k", idempotency_hash="other")
    )
    assert again.run_id != run
    assert await passed(database, policy) == {}


async def test_signals_that_a_run_at_work_has_consumed_go_too(log, database):
    created = await log.create(NewRun(app="app", owner="ada", agent="writer", state="RUN_STATE_WORKING"))
    for _ in range(3):
        await log.signal("app", created.run_id, "wake", b"x")
    seen = [signal.id for signal in await log.signals(created.run_id)]
    await log.consume(created.run_id, 1, seen[:2])
    await database.write(
        lambda db: db.execute(update(run_signals).where(run_signals.c.id == seen[0]).values(consumed_time=1))
    )
    assert await passed(database, kept(signals_s=DAY_S)) == {"run_signals": 1}
    assert await count(database, run_signals) == 2


async def test_a_dry_pass_counts_and_changes_nothing(log, database):
    await finished(log, days=9, events=5)
    would = await passed(database, kept(runs_s=DAY_S), dry=True)
    assert would == {"runs": 1, "events": 5}
    assert await passed(database, kept(runs_s=DAY_S)) == would


async def test_a_long_run_goes_in_several_steps(log, database, monkeypatch):
    monkeypatch.setattr(pruning, "MOST_EVENTS", 4)
    long, short = await finished(log, days=9, events=11), await finished(log, days=9, events=2)
    steps = []
    prune = pruning.prune
    monkeypatch.setattr(
        pruning, "prune", lambda *args, **more: steps.append(prune(*args, **more)) or steps[-1]
    )
    assert await passed(database, kept(runs_s=DAY_S)) == {"runs": 2, "events": 13}
    assert len(steps) > 3
    assert max(counts["events"] for counts, _ in steps) <= 4
    assert await there(log, long, short) == [False, False]


async def test_more_runs_than_a_page_has_are_all_looked_at(log, database, monkeypatch):
    monkeypatch.setattr(looking, "PAGE", 2)
    monkeypatch.setattr(
        looking, "_PAGE", looking.Rows(looking._PAGE._statement.limit(2), looking._PAGE._names)
    )
    named = await finished(log, days=9, id="zzz-named-by-its-client")
    old = [await finished(log, days=9) for _ in range(5)]
    young = [await finished(log, days=0) for _ in range(7)]
    done = Pass(database, kept(runs_s=DAY_S), nothing, gently=False)
    assert (await done.run()).counts["runs"] == 6
    assert await there(log, named, *old, *young) == [False] * 6 + [True] * 7
    again = Pass(database, kept(runs_s=DAY_S), nothing, gently=False)
    assert (await again.run()).looked_at == 2  # nothing behind what is too young is old enough


async def test_events_of_a_run_are_made_fewer_once(log, database):
    run = await finished(log, days=2, events=6)

    def folding(rows):
        assert [row.seq for row in rows] == [1, 2, 3, 4, 5, 6]
        return [Fold(5, b"folded", (3, 4))]

    assert await passed(database, kept(compact_after_s=DAY_S), folding, dry=True) == {"events_folded": 2}
    assert await passed(database, kept(compact_after_s=DAY_S), folding) == {"events_folded": 2}
    events = await log.events("app", run)
    assert [(event.seq, event.payload) for event in events] == [
        (1, b"hello"), (2, b"hello"), (5, b"folded"), (6, b"hello"),
    ]  # fmt: skip
    assert await passed(database, kept(compact_after_s=DAY_S), folding) == {}
    assert (await log.get("app", "ada", run)).next_seq == 7


async def test_a_run_that_has_gone_on_since_it_was_found_is_left_alone(log, database):
    run = await finished(log, days=9, events=2)
    row = await log.get("app", "ada", run)
    old = Old(run, "app", "ada", "writer", "", row.status_time_us - 1, row.next_seq)
    counts, is_more = await database.write(lambda db: pruning.prune(db, [old]))
    assert (dict(counts), is_more) == ({}, False)
    folded = await database.write(lambda db: pruning.fold(db, old, [Fold(2, b"", (1,))], is_last=True))
    assert folded == 0
    assert await there(log, run) == [True]


async def test_a_session_that_is_taken_up_while_it_is_pruned_stays(log, database):
    run = await finished(log, days=9, context="c")
    due = await database.read(lambda db: looking.look(db, kept(sessions_s=DAY_S), ""))
    assert [old.run_id for old in due.runs] == [run]
    await log.create(
        NewRun(app="app", owner="ada", agent="writer", context_id="c", state="RUN_STATE_WORKING")
    )
    counts, _ = await database.write(lambda db: pruning.prune(db, due.runs))
    assert dict(counts) == {}


async def test_two_passes_at_once_do_it_once(log, database):
    for _ in range(20):
        await finished(log, days=9, events=3)
    policy = kept(runs_s=DAY_S)
    done = await asyncio.gather(passed(database, policy), passed(database, policy))
    assert sum(one.get("runs", 0) for one in done) == 20
    assert sum(one.get("events", 0) for one in done) == 60


async def test_one_at_a_time_does_a_chore(database):
    one, other = Chores(database, "one"), Chores(database, "other")
    assert await one.take("prune", lease_s=60)
    assert not await other.take("prune", lease_s=60)
    assert await one.take("prune", lease_s=60)
    await one.done("prune")
    assert not await other.take("prune", lease_s=60, every_s=60)
    assert await other.take("prune", lease_s=60)
    await one.done("prune")  # not its own: nothing happens
    assert not await one.take("prune", lease_s=60)
    await other.leave("prune")
    assert await one.take("prune", lease_s=0.0)
    assert await other.take("prune", lease_s=60) or await other.take("prune", lease_s=60)


def test_every_table_says_whose_rows_it_holds():
    """What is erased and pruned is found by columns: a table without them would be forgotten."""
    assert [table.name for table in unclaimed()] == []
    of_run = {table.name for table in of_runs()}
    assert {"run_events", "run_signals", "effects", "push_configs", "blobs"} <= of_run
    for table in of_owners():
        assert {"app", "owner"} <= set(table.c.keys())
