"""storage.checkpoint: which runs go on by themselves when their process is gone, and what of the others."""

import pytest
from pydantic import ValidationError
from support.owned_world import COMMITS_OF_TOOL, kinds, parts, world
from support.run_owners import lease_ends, settled

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_INPUT_REQUIRED,
    MessageReceived,
    ModelAnswered,
    OwnerChanged,
    RunEvent,
    StatusChanged,
    ToolFinished,
    ToolStarted,
    TurnParked,
)
from hector.common.v1 import ToolCall
from hector_agent.recovery import Fate, checkpoints, fate, tries_since_progress
from hector_store.checkpoint_config import CheckpointConfig

EVERY_S = 10
"""Seconds between two events of a log."""


def log_of(*events: RunEvent) -> list[RunEvent]:
    for seq, event in enumerate(events, 1):
        event.seq = seq
        event.time.FromSeconds(1000 + EVERY_S * seq)
    return list(events)


def step(number: int) -> list[RunEvent]:
    """Return an iteration: a model's turn that wants two tools, and their results."""
    calls = [ToolCall(id=f"call_{number}_{each}") for each in (1, 2)]
    return [
        RunEvent(model_answered=ModelAnswered(iteration=number)),
        *(RunEvent(tool_started=ToolStarted(call=call)) for call in calls),
        *(RunEvent(tool_finished=ToolFinished(call_id=call.id)) for call in calls),
    ]


def run_of(iterations: int) -> list[RunEvent]:
    steps = [event for number in range(1, iterations + 1) for event in step(number)]
    return log_of(
        RunEvent(message_received=MessageReceived()), RunEvent(status_changed=StatusChanged()), *steps
    )


def config(**keys: object) -> CheckpointConfig:
    return CheckpointConfig.model_validate(keys)


def places(events, **keys) -> list[tuple[int, str]]:
    return [(found.seq, found.why) for found in checkpoints(events, config(**keys))]


def test_by_default_each_place_before_a_model_and_each_result_is_one():
    assert places(run_of(2)) == [
        (1, "before_llm"),
        *[(6, "after_tools"), (7, "after_tools")],
        *[(11, "after_tools"), (12, "after_tools")],
    ]


def test_before_a_model_alone_the_last_result_of_an_iteration_counts():
    assert places(run_of(2), after_tools=False) == [(1, "before_llm"), (7, "before_llm"), (12, "before_llm")]


def test_after_tools_alone_the_beginning_is_none():
    assert places(run_of(1), before_llm=False) == [(6, "after_tools"), (7, "after_tools")]


def test_an_interval_counts_iterations():
    events = run_of(12)
    assert [event.seq for event in events if event.HasField("model_answered")][4::5] == [23, 48]
    assert places(events, strategy="interval", interval=5) == [(23, "interval"), (48, "interval")]


def test_or_time():
    assert places(run_of(2), strategy="interval", interval="30s") == [
        (4, "interval"),
        (7, "interval"),
        (10, "interval"),
    ]


def test_hybrid_has_both_and_each_place_once():
    events = run_of(5)
    found = places(events, strategy="hybrid", interval=5, after_tools=False)
    assert [why for _, why in found] == ["before_llm"] * 5 + ["interval", "before_llm"]
    assert len({seq for seq, _ in found}) == len(found)


def test_without_checkpoints_there_are_none():
    assert places(run_of(3), enabled=False) == []


def test_an_interval_must_be_said():
    with pytest.raises(ValidationError, match="required with strategy interval"):
        config(strategy="interval")
    with pytest.raises(ValidationError, match="a number of iterations"):
        config(strategy="interval", interval="often")


@pytest.mark.parametrize(
    ("keys", "iterations", "late_s", "found"),
    [
        ({}, 0, 0, Fate.GOES_ON),
        ({"enabled": False}, 3, 0, Fate.IS_OVER),
        ({"recovery": {"auto_resume": False}}, 3, 0, Fate.WAITS),
        ({"strategy": "interval", "interval": 5}, 4, 0, Fate.WAITS),
        ({"strategy": "interval", "interval": 5}, 5, 0, Fate.GOES_ON),
        ({"before_llm": False}, 0, 0, Fate.WAITS),
        ({}, 1, 3601, Fate.IS_TOO_OLD),
        ({}, 1, 3599, Fate.GOES_ON),
        ({"recovery": {"timeout": 0}}, 1, 1_000_000, Fate.GOES_ON),
    ],
)
def test_what_becomes_of_a_run(keys, iterations, late_s, found):
    events = run_of(iterations)
    now_us = events[-1].time.ToMicroseconds() + late_s * 1_000_000
    assert fate(events, config(**keys), now_us) is found


def test_a_run_that_asked_a_person_may_be_held_where_others_go_on():
    asked = StatusChanged(state=RUN_STATE_INPUT_REQUIRED)
    events = log_of(
        RunEvent(message_received=MessageReceived()),
        *(RunEvent(turn_parked=TurnParked()), RunEvent(status_changed=asked)),
        RunEvent(message_received=MessageReceived()),
    )
    now_us = events[-1].time.ToMicroseconds()
    assert fate(events, config(), now_us) is Fate.GOES_ON
    assert fate(events, config(recovery={"auto_resume_hitl": False}), now_us) is Fate.WAITS


def test_owners_are_counted_since_the_last_progress():
    gone = [RunEvent(owner_changed=OwnerChanged(epoch=epoch)) for epoch in (2, 3)]
    assert tries_since_progress([*run_of(1), *gone]) == 2
    assert tries_since_progress([*gone, *run_of(1)]) == 0
    many = [RunEvent(owner_changed=OwnerChanged(epoch=epoch)) for epoch in range(2, 12)]
    events = log_of(*run_of(1), *many)
    assert fate(events, config(), events[-1].time.ToMicroseconds()) is Fate.ENDS_ITS_OWNERS


async def died(of, one) -> str:
    """Return a run whose owner died behind its first result."""
    dead = one.die_at(COMMITS_OF_TOOL, written=True)
    run = (await one.ask("go")).place.run
    await dead.wait()
    await lease_ends(of.database, (await of.log.get("default", "ada", run)).worker)
    return run


@pytest.mark.usefixtures("short_stops")
async def test_what_does_not_go_on_by_itself_waits_visibly(database_url):
    held = config(recovery={"auto_resume": False})
    async with world(database_url) as of, of.replica() as one, of.replica(checkpoint=held):
        run = await died(of, one)
        row = await settled(of.log, run, lambda row: row.state == "RUN_STATE_WAITING")
        task = await of.task(run)
    assert row.worker == ""
    assert task.status.state == a2a.TASK_STATE_WORKING
    assert f"hector task resume {run}" in task.status.message.parts[0].text
    assert task.metadata["hector.held"] == "recovery"


@pytest.mark.usefixtures("short_stops")
async def test_a_run_that_is_too_old_fails_and_says_why(database_url):
    short = config(recovery={"timeout": "1ms"})
    async with world(database_url) as of, of.replica() as one, of.replica(checkpoint=short):
        run = await died(of, one)
        await settled(of.log, run)
        task = await of.task(run)
        assert kinds(await of.events(run))[-2:] == ["owner_changed", "status_changed"]
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert "storage.checkpoint.recovery.timeout" in task.status.message.parts[0].text
    assert [part.text for part in parts(task)] == ["step 1 "]
