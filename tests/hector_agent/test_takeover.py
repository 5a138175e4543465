"""Ours: a run whose owner is gone goes on from its last commit, and nothing of that is done again."""

import asyncio
from types import SimpleNamespace

import pytest
from support.owned_world import STEPS, World, kinds, parts, shape, world
from support.run_owners import lease_ends, settled
from support.scripted_agent import until

from hector.agent.v1 import RunEvent
from hector_agent.beside import Beside
from hector_agent.errors import RunLost
from hector_agent.taking_over import _recall
from hector_mesh import HectorError
from hector_store.server_errors import StorageInDoubt, StorageUnreachable

pytestmark = pytest.mark.usefixtures("short_stops")


async def undisturbed(of: World) -> tuple[list[str], str, int]:
    async with of.replica() as one:
        run = await one.ask("go")
        await settled(of.log, run.place.run)
    events = await of.events(run.place.run)
    task = await of.task(run.place.run)
    found = shape(events), "|".join(part.text for part in parts(task)), one.commits
    of.model.asked = 0
    of.tools.calls.clear()
    return found


COMMITS = 2 * STEPS + 1
"""Commits of such a run behind the first: for each tool the call and its result, and the end."""


@pytest.mark.parametrize("commit", range(1, COMMITS + 1))
@pytest.mark.parametrize("written", [True, False], ids=["after", "before"])
async def test_whoever_dies_at_whichever_commit_another_goes_on_and_repeats_nothing(
    database_url, commit, written
):
    async with world(database_url) as of:
        whole, text, _ = await undisturbed(of)
        async with of.replica() as one, of.replica() as other:
            other.runs._claiming.is_stopped = True
            died = one.die_at(commit, written=written)
            run = (await one.ask("go")).place.run
            await died.wait()
            other.runs._claiming.is_stopped = False
            await lease_ends(of.database, (await of.log.get("default", "ada", run)).worker)
            row = await settled(of.log, run)
        events = await of.events(run)
        task = await of.task(run)
    assert row.state == "RUN_STATE_COMPLETED"
    assert shape(events) == whole
    assert "|".join(part.text for part in parts(task)) == text
    is_over = written and commit == COMMITS
    assert kinds(events).count("owner_changed") == (not is_over)
    # A turn of the model that was not committed is asked for again, and nothing else.
    answer_was_lost = not written and commit % 2 == 1
    assert of.model.asked == STEPS + 1 + answer_was_lost
    # So is a call whose result was lost, of a tool that may be called again; with the same effect id.
    result_was_lost = not written and commit % 2 == 0
    assert len(of.tools.calls) == STEPS + result_was_lost
    assert len(set(of.tools.effects)) == STEPS


async def test_text_of_a_question_that_was_in_progress_is_void_and_begins_anew(database_url, monkeypatch):
    monkeypatch.setattr("hector_agent.writing.FLUSH_S", 0.01)
    async with world(database_url) as of:
        of.model.may_answer.clear()
        async with of.replica() as one, of.replica():
            run = (await one.ask("go")).place.run

            async def flushed() -> bool:
                return "text_appended" in kinds(await of.events(run))

            await until(flushed)
            worker = one.worker
            one.kill()
            of.model.may_answer.set()
            await lease_ends(of.database, worker)
            await settled(of.log, run)
        events = await of.events(run)
        task = await of.task(run)
    texts = [event.text_appended for event in events if event.HasField("text_appended")]
    assert [text.append for text in texts if text.artifact_id == "answer-1"][:2] == [False, False]
    assert [part.text for part in parts(task)] == ["step 1 ", "step 2 ", "step 3 ", "all done"]


async def test_the_first_thing_that_a_new_owner_writes_is_that_it_is_the_owner(database_url):
    async with world(database_url) as of:
        async with of.replica() as one, of.replica():
            died = one.die_at(2, written=True)
            run = (await one.ask("go")).place.run
            await died.wait()
            before = await of.log.get("default", "ada", run)
            await lease_ends(of.database, before.worker)
            await settled(of.log, run)
        [changed] = [event for event in await of.events(run) if event.HasField("owner_changed")]
    assert changed.seq == before.next_seq
    assert changed.owner_changed.before == before.worker != changed.owner_changed.worker
    assert changed.owner_changed.epoch == 2
    assert changed.owner_changed.reason == f"worker {before.worker} is gone"


async def test_who_was_held_up_past_its_lease_writes_nothing(database_url):
    """Nobody has taken its runs yet. Its own clock tells it to wait, and the database why it must stop."""
    async with world(database_url) as of, of.replica() as one:
        of.model.may_answer.clear()
        run = await one.ask("go")
        await until(lambda: _is(of.model.asked == 1))
        one.runs._claiming.is_stopped = True
        run.lease.until = 0.0  # as for a process that was stopped, and goes on much later
        await lease_ends(of.database, run.lease.worker)
        of.model.may_answer.set()
        writing = asyncio.ensure_future(run.commit([RunEvent()]))
        await one.runs._ownership._renew(run.lease)
        with pytest.raises(RunLost):
            await writing
        await run.finished.wait()
        assert not run.over
        row = await of.log.get("default", "ada", run.place.run)
        assert (row.state, row.next_seq) == ("RUN_STATE_WORKING", 3)


async def test_a_lease_that_is_lost_lets_go_of_its_runs_and_a_new_one_goes_on_with_them(database_url):
    async with world(database_url) as of, of.replica() as one:
        of.model.may_answer.clear()
        run = await one.ask("go")
        await until(lambda: _is(of.model.asked == 1))
        worker = one.worker
        await lease_ends(of.database, worker)
        one.runs._ownership._lose(run.lease)
        await run.finished.wait()
        of.model.may_answer.set()
        row = await settled(of.log, run.place.run)
        assert one.worker not in ("", worker)
    assert row.state == "RUN_STATE_COMPLETED"
    assert row.worker != worker


async def _is(fact: bool) -> bool:
    return fact


async def test_a_stop_leaves_runs_to_the_next_start_at_what_they_have_committed(database_url):
    async with world(database_url) as of:
        of.model.may_answer.clear()
        async with of.replica() as one:
            run = (await one.ask("go")).place.run
            await until(lambda: _is(of.model.asked == 1))
        row = await of.log.get("default", "ada", run)
        assert (row.state, row.worker) == ("RUN_STATE_WORKING", "")
        of.model.may_answer.set()
        async with of.replica():
            await settled(of.log, run)
        assert [part.text for part in parts(await of.task(run))][-1] == "all done"


async def test_a_drain_lets_runs_end_and_takes_on_nothing_by_itself(database_url):
    async with world(database_url) as of:
        of.model.may_answer.clear()
        async with of.replica() as one:
            run = await one.ask("go")
            await until(lambda: _is(of.model.asked == 1))
            draining = asyncio.create_task(one.runs.drain(20))
            await asyncio.sleep(0)
            of.model.may_answer.set()
            await draining
            assert run.over


async def test_a_drain_that_takes_too_long_lets_go_between_two_steps(database_url, monkeypatch):
    monkeypatch.setattr("hector_agent.runs.PARKING_S", 5.0)
    async with world(database_url) as of:
        of.model.may_answer.clear()
        async with of.replica() as one:
            run = await one.ask("go")
            await until(lambda: _is(of.model.asked == 1))
            draining = asyncio.create_task(one.runs.drain(0.0))
            await until(lambda: _is(run.leaving))
            of.model.may_answer.set()
            await draining
            assert not run.over
        assert of.model.asked == 1
        assert shape(await of.events(run.place.run))[-1] == "model_answered"
        async with of.replica():
            await settled(of.log, run.place.run)
        assert of.model.asked == STEPS + 1
        assert len(of.tools.calls) == STEPS


async def test_a_run_whose_beginning_nobody_heard_of_is_found_and_gone_on_with(database_url, monkeypatch):
    """The database has committed it, and no answer came, neither to that nor to who asked for it."""
    monkeypatch.setattr("hector_agent.claiming.LOOK_S", 0.05)
    async with world(database_url) as of, of.replica() as one:
        log, create = one.runs.log, one.runs.log.create

        place = SimpleNamespace(name="here")

        async def in_doubt(*what, **more):
            await create(*what, **more)
            raise StorageInDoubt(place, "cut")

        async def away(*_):
            raise StorageUnreachable(place, "away")

        with monkeypatch.context() as broken:
            broken.setattr(log, "create", in_doubt)
            broken.setattr(log, "get", away)
            with pytest.raises(HectorError):
                await one.ask("go")
        [row] = (await of.log.list("default", "ada")).runs
        assert (await settled(of.log, row.id)).state == "RUN_STATE_COMPLETED"


async def test_a_run_at_which_taking_over_meets_a_bug_is_left_to_others(database_url, monkeypatch, caplog):
    monkeypatch.setattr("hector_agent.taking_over.SHUNNED_S", 0.05)
    bugs = [ZeroDivisionError("a bug")]

    def recall(*what):
        if bugs:
            raise bugs.pop()
        _recall(*what)

    monkeypatch.setattr("hector_agent.taking_over._recall", recall)
    async with world(database_url) as of:
        of.model.may_answer.clear()
        async with of.replica() as one:
            run = (await one.ask("go")).place.run
        of.model.may_answer.set()
        async with of.replica():
            assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"
    assert not bugs
    assert [record.run for record in caplog.records if record.msg == "taking a run over met a bug"] == [run]


async def test_a_run_that_was_taken_up_without_anybody_hearing_of_it_is_handed_back(
    database_url, monkeypatch
):
    """The database has given it to this worker, and the answer was lost."""
    monkeypatch.setattr("hector_agent.claiming.LOOK_S", 0.05)
    async with world(database_url, "send") as of, of.replica() as one:
        died = one.die_at(1, written=True)
        run = (await one.ask("go")).place.run
        await died.wait()
        async with of.replica() as two:
            await lease_ends(of.database, (await of.log.get("default", "ada", run)).worker)
            await settled(of.log, run, lambda row: row.state == "RUN_STATE_INPUT_REQUIRED" and not row.worker)
            take_over = two.runs.log.take_over

            async def in_doubt(*what, **more):
                await take_over(*what, **more)
                raise StorageInDoubt(SimpleNamespace(name="here"), "cut")

            with monkeypatch.context() as broken:
                broken.setattr(two.runs.log, "take_over", in_doubt)
                with pytest.raises(StorageInDoubt):
                    await two.answer(run, "again")
            await settled(of.log, run, lambda row: not row.worker)
            await two.answer(run, "again")
            assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"


async def test_a_run_whose_first_commit_nobody_heard_of_is_gone_on_with(database_url, monkeypatch):
    """It was written with the first thing that happened in it, and the database was away for a moment."""
    async with world(database_url) as of, of.replica() as one:
        log, create = one.runs.log, one.runs.log.create
        place = SimpleNamespace(name="here")

        async def in_doubt(*what, **more):
            await create(*what, **more)
            raise StorageInDoubt(place, "cut")

        async def away(*_, **__):
            raise StorageUnreachable(place, "away")

        with monkeypatch.context() as broken:
            broken.setattr(log, "create", in_doubt)
            broken.setattr(log, "events", away)
            with pytest.raises(HectorError):
                await one.ask("go", beside=Beside(at_once=True))

            async def is_let_go() -> bool:
                return not len(one.runs._at_work)

            await until(is_let_go)
        [row] = (await of.log.list("default", "ada")).runs
        assert (await settled(of.log, row.id)).state == "RUN_STATE_COMPLETED"
