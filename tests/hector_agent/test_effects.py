"""Ours: what a tool does in the world happens once, or somebody is told that nobody knows."""

import pytest
from support.owned_world import STEPS, kinds, parts, shape, world
from support.run_owners import lease_ends, settled

import hector_a2a as a2a
from hector_agent.run import Run

pytestmark = pytest.mark.usefixtures("short_stops")

BEFORE_RESULT = 2
"""The commit that has the first tool's result."""


async def died_in_the_middle(of, one, *, made: bool = True) -> str:
    """Return a run whose owner died while its first tool was being called."""
    died = one.die_at(BEFORE_RESULT if made else BEFORE_RESULT - 1, written=not made)
    run = (await one.ask("go")).place.run
    await died.wait()
    await lease_ends(of.database, (await of.log.get("default", "ada", run)).worker)
    return run


def waits(row) -> bool:
    return row.state == "RUN_STATE_INPUT_REQUIRED"


async def question(of, run: str) -> str:
    return (await of.task(run)).status.message.parts[0].text


@pytest.mark.parametrize("made", [True, False], ids=["made", "not made"])
@pytest.mark.parametrize(
    ("said", "calls"), [("again", 1), ("Run it again.", 1), ("happened", 0), ("It has happened: id 17", 0)]
)
async def test_a_call_in_doubt_waits_for_a_person_whose_answer_decides(database_url, made, said, calls):
    async with world(database_url, "send") as of, of.replica() as one, of.replica() as other:
        run = await died_in_the_middle(of, one, made=made)
        row = await settled(of.log, run, waits)
        assert (row.worker, len(of.tools.calls)) == ("", int(made))
        assert 'send({"n": 0})' in await question(of, run)
        [effect] = await of.log.effects(run)
        assert (effect.state, effect.policy, effect.tool) == ("started", "ask", "send")
        await other.answer(run, said)
        assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"
        assert len(of.tools.calls) == made + calls + STEPS - 1
        assert len(set(of.tools.effects)) == STEPS - 1 + (made or calls > 0)
        assert of.model.asked == STEPS + 1
        ends = [
            event.tool_finished.result.result
            for event in await of.events(run)
            if event.HasField("tool_finished")
        ]
        assert len(ends) == STEPS
        assert (ends[0] == "id 17") == ("17" in said)
        states = [each.state for each in await of.log.effects(run)]
        assert states == ["confirmed" if not calls else "done", "done", "done"]


async def test_who_has_lost_its_lease_does_not_make_the_call_that_it_wrote_down(database_url, monkeypatch):
    """As a process that was stopped between the two, and goes on beside the next owner."""
    committed = Run.commit

    async def slept_behind(run, events=(), *more, **named):
        await committed(run, events, *more, **named)
        if not callable(events) and any(event.HasField("tool_started") for event in events):
            run.lease.lose()

    async with world(database_url, "send") as of, of.replica() as one:
        with monkeypatch.context() as sleeping:
            sleeping.setattr(Run, "commit", slept_behind)
            run = await one.ask("go")
            await run.finished.wait()
        assert of.tools.calls == []
        await lease_ends(of.database, run.lease.worker)
        one.runs._ownership._lose(run.lease)
        await settled(of.log, run.place.run, waits)
        assert of.tools.calls == []


async def test_an_answer_that_nobody_can_understand_is_asked_for_again(database_url):
    async with world(database_url, "send") as of, of.replica() as one, of.replica() as other:
        run = await died_in_the_middle(of, one)
        await settled(of.log, run, waits)
        answered = await other.answer(run, "what do you mean?")
        await answered.finished.wait()
        assert "none of the three answers" in await question(of, run)
        await other.answer(run, "happened")
        assert (await settled(of.log, run)).state == "RUN_STATE_COMPLETED"
        assert len(of.tools.calls) == STEPS


async def test_whoever_gives_up_ends_the_run(database_url):
    async with world(database_url, "send") as of, of.replica() as one, of.replica() as other:
        run = await died_in_the_middle(of, one)
        await settled(of.log, run, waits)
        await other.answer(run, "give up")
        assert (await settled(of.log, run)).state == "RUN_STATE_FAILED"
        [effect] = await of.log.effects(run)
        assert (effect.state, len(of.tools.calls)) == ("given up", 1)


async def test_dying_again_after_the_answer_asks_again(database_url):
    async with world(database_url, "send") as of, of.replica() as one, of.replica() as other:
        run = await died_in_the_middle(of, one)
        await settled(of.log, run, waits)
        died = other.die_at(3, written=False)  # it says that it calls it again, calls it, and dies
        async with of.replica() as third:
            await other.answer(run, "again")
            await died.wait()
            assert len(of.tools.calls) == 2
            await lease_ends(of.database, (await of.log.get("default", "ada", run)).worker)
            await settled(of.log, run, waits)
            assert len(of.tools.calls) == 2
            await third.answer(run, "happened")
            await settled(of.log, run)
        assert len(of.tools.calls) == STEPS + 1


async def test_a_tool_that_must_not_be_called_twice_fails_the_run(database_url):
    async with world(database_url, "send_or_fail") as of, of.replica() as one, of.replica():
        run = await died_in_the_middle(of, one)
        row = await settled(of.log, run)
        task = await of.task(run)
        assert (row.state, len(of.tools.calls)) == ("RUN_STATE_FAILED", 1)
        assert "nobody knows whether it took effect" in task.status.message.parts[0].text
        assert of.tools.effects[0] in task.status.message.parts[0].text


@pytest.mark.parametrize(("happened", "calls"), [(True, STEPS), (False, STEPS + 1), (None, 1)])
async def test_another_tool_may_know_whether_it_took_effect(database_url, happened, calls):
    async with world(database_url, "send_checked") as of, of.replica() as one, of.replica():
        of.tools.happened = happened
        run = await died_in_the_middle(of, one)
        await settled(of.log, run, lambda row: row.finished or waits(row))
        assert len(of.tools.calls) == calls
        [asked] = of.tools.checked
        assert asked == {"effect_id": of.tools.effects[0], "tool": "send_checked", "arguments": {"n": 0}}
        assert waits(await of.log.get("default", "ada", run)) == (happened is None)


async def test_a_tool_that_declares_it_gets_its_effects_id_as_an_argument(database_url):
    async with world(database_url, "send") as of, of.replica() as one:
        run = await one.ask("go")
        await settled(of.log, run.place.run)
    for call in of.tools.calls:
        assert f'"effect_id": "{call.context.effect_id}"' in call.parameters_json


async def test_what_may_simply_be_called_again_leaves_nothing_beside_the_log(database_url):
    async with world(database_url) as of, of.replica() as one:
        run = (await one.ask("go")).place.run
        await settled(of.log, run)
        assert await of.log.effects(run) == []
        assert shape(await of.events(run)).count("tool_started") == STEPS
        assert [part.text for part in parts(await of.task(run))][-1] == "all done"
        assert "owner_changed" not in kinds(await of.events(run))
        assert (await of.task(run)).status.state == a2a.TASK_STATE_COMPLETED
