"""Ours: what becomes of a claimed run follows from its log and from what was asked, and from nothing else."""

import pytest

from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_CANCELED,
    RUN_STATE_INPUT_REQUIRED,
    RUN_STATE_WAITING,
    RUN_STATE_WORKING,
    CancelRun,
    PauseRun,
    ResumeRun,
    RunEvent,
    Signal,
    SignalReceived,
    StatusChanged,
)
from hector_agent.commands.deciding import decided, paused, resumed
from hector_agent.commands.standing import held, pausing, timers_set, wakes
from hector_agent.commands.timers import asleep, ended, timer_at
from hector_agent.commands.wishes import Wish, wishes_of, written
from hector_agent.deadlines import left_s, worked_s
from hector_agent.errors import AnswerTooLong, ModelSaidNothing, ShuttingDown
from hector_agent.retry_config import RetryConfig
from hector_agent.retrying import attempts_in, delay_s, failure_of, is_worth_it
from hector_store import NEVER, SignalRow

SECOND = 1_000_000
PAUSE = SignalReceived(signal=Signal(pause=PauseRun(reason="lunch")), principal="ada")
RESUME = SignalReceived(signal=Signal(resume=ResumeRun()), principal="ada")
CANCEL = SignalReceived(signal=Signal(cancel=CancelRun()), principal="ada")
WAKE = SignalReceived(signal=Signal(wake_json='{"a": 1}'), principal="ada")


def wishes(*said):
    return [Wish(number, "r", one) for number, one in enumerate(said, 1)]


def heard(*said):
    return [RunEvent(signal_received=one) for one in said]


def state(value) -> RunEvent:
    return RunEvent(status_changed=StatusChanged(state=value))


def kinds(found) -> list[str]:
    return [event.WhichOneof("event") for event in found.events]


SLEEPS = [timer_at("nap", 100), asleep()]
WAITS = [timer_at("word", NEVER, takes_signal=True), asleep()]


@pytest.mark.parametrize(
    ("was", "own", "asked", "fate", "until_us"),
    [
        (RUN_STATE_WORKING, [], [], "as it was", NEVER),
        (RUN_STATE_WORKING, [], [PAUSE], "waits", NEVER),
        (RUN_STATE_WORKING, heard(PAUSE), [], "waits", NEVER),
        (RUN_STATE_WORKING, heard(PAUSE), [RESUME], "as it was", NEVER),
        (RUN_STATE_WORKING, [*heard(PAUSE), paused(PAUSE), resumed()], [], "as it was", NEVER),
        (RUN_STATE_WORKING, [], [CANCEL, PAUSE], "over", NEVER),
        (RUN_STATE_WAITING, [paused(PAUSE)], [], "waits", NEVER),
        (RUN_STATE_WAITING, [paused(PAUSE)], [PAUSE], "waits", NEVER),
        (RUN_STATE_WAITING, [paused(PAUSE)], [RESUME], "goes on", NEVER),
        (RUN_STATE_WAITING, [paused(PAUSE)], [RESUME, PAUSE], "waits", NEVER),
        (RUN_STATE_WAITING, [paused(PAUSE)], [CANCEL], "over", NEVER),
        (RUN_STATE_WAITING, SLEEPS, [], "waits", 100),
        (RUN_STATE_WAITING, SLEEPS, [WAKE], "waits", 100),
        (RUN_STATE_WAITING, SLEEPS, [PAUSE], "waits", NEVER),
        (RUN_STATE_WAITING, [*SLEEPS, paused(PAUSE)], [RESUME], "waits", 100),
        (RUN_STATE_WAITING, WAITS, [], "waits", NEVER),
        (RUN_STATE_WAITING, WAITS, [WAKE], "goes on", NEVER),
        (RUN_STATE_WAITING, [*heard(WAKE), *WAITS], [], "goes on", NEVER),
        (RUN_STATE_INPUT_REQUIRED, [state(RUN_STATE_INPUT_REQUIRED)], [WAKE], "waits", NEVER),
        (RUN_STATE_AUTH_REQUIRED, [state(RUN_STATE_AUTH_REQUIRED)], [WAKE], "goes on", NEVER),
        (RUN_STATE_AUTH_REQUIRED, [state(RUN_STATE_AUTH_REQUIRED)], [], "waits", NEVER),
    ],
)
def test_what_becomes_of_a_run(was, own, asked, fate, until_us) -> None:
    found = decided(was, own, wishes(*asked), 50, NEVER)
    assert found.fate == fate
    assert found.consume == list(range(1, len(asked) + 1)), "each command is answered, whatever it came to"
    if fate == "waits":
        assert found.until_us == until_us


def test_a_timer_that_is_due_is_ended_once() -> None:
    found = decided(RUN_STATE_WAITING, SLEEPS, [], 100, NEVER)
    assert (found.fate, kinds(found)) == ("goes on", ["timer_ended", "status_changed"])
    assert timers_set([*SLEEPS, *found.events]) == []


def test_a_signal_is_taken_by_one_wait() -> None:
    found = decided(RUN_STATE_WAITING, WAITS, wishes(WAKE), 50, NEVER)
    assert found.wake_json == '{"a": 1}'
    assert wakes([*WAITS, *found.events]) == []


def test_a_held_run_is_given_up_at_its_time() -> None:
    waiting = state(RUN_STATE_WAITING)
    waiting.status_changed.metadata["hector.held"] = "recovery"
    assert held([waiting]) == "recovery"
    found = decided(RUN_STATE_WAITING, [waiting], [], 50, 77)
    assert (found.fate, found.until_us) == ("waits", 77)


def test_cancelling_wins_over_everything() -> None:
    found = decided(RUN_STATE_WAITING, [paused(PAUSE)], wishes(RESUME, WAKE, CANCEL), 50, NEVER)
    assert found.events[-1].status_changed.state == RUN_STATE_CANCELED
    assert len([event for event in found.events if event.HasField("signal_received")]) == 3


def test_a_pause_is_over_when_it_has_come_to_rest() -> None:
    assert pausing(heard(PAUSE)) == PAUSE
    assert pausing([*heard(PAUSE), paused(PAUSE)]) is None


def test_rows_of_versions_before_are_answered_and_mean_nothing() -> None:
    kind, payload = written(PAUSE.signal, "ada")
    old = SignalRow(2, "r", "cancel", 0, CANCEL.signal.SerializeToString())
    broken = SignalRow(3, "r", "pause", 0, b"\xff\xff")
    found = wishes_of([SignalRow(1, "r", kind, 0, payload), old, broken])
    assert [(wish.id, wish.kind) for wish in found] == [(1, "pause"), (2, ""), (3, "")]


def at(second: float, event: RunEvent) -> RunEvent:
    event.time.FromMicroseconds(round(second * SECOND))
    return event


def test_time_counts_from_the_first_event_and_not_while_it_waits() -> None:
    own = [
        at(0, state(RUN_STATE_WORKING)),
        at(10, state(RUN_STATE_INPUT_REQUIRED)),
        at(1000, RunEvent(signal_received=WAKE)),
        at(1000, state(RUN_STATE_WORKING)),
        at(1005, asleep()),
        at(5000, state(RUN_STATE_WORKING)),
    ]
    assert worked_s(own, 5001 * SECOND) == pytest.approx(16)
    assert left_s(20, own) == pytest.approx(5)
    assert left_s(10, own) == 0
    assert left_s(10, []) == 10


def test_pauses_grow_to_their_limit_and_never_undercut_what_was_asked_for() -> None:
    policy = RetryConfig(max_attempts=9, initial_delay=1.0, max_delay=10.0, jitter=False)
    assert [delay_s(policy, attempt) for attempt in (1, 2, 3, 4, 5, 99)] == [1, 2, 4, 8, 10, 10]
    assert delay_s(policy, 1, retry_after_s=6.0) == 6
    jittered = RetryConfig(max_attempts=9, initial_delay=8.0, max_delay=10.0)
    assert all(4 <= delay_s(jittered, 1) <= 8 for _ in range(100))


def test_only_what_time_may_mend_is_tried_again() -> None:
    policy = RetryConfig(max_attempts=3)
    assert is_worth_it(failure_of(ModelSaidNothing("llms.default")), policy)
    assert not is_worth_it(failure_of(AnswerTooLong("llms.default", "a", 5)), policy)
    assert not is_worth_it(failure_of(ShuttingDown()), policy)
    assert failure_of(ShuttingDown()).retry_after_s == 5
    never = RetryConfig(max_attempts=3, non_retryable=["MODEL_BROKE_OFF"])
    assert not is_worth_it(failure_of(ModelSaidNothing("llms.default")), never)


def test_attempts_are_counted_over_pauses_without_a_process() -> None:
    failed = RunEvent()
    failed.step_retried.step, failed.step_retried.attempt = "model", 2
    answered = RunEvent()
    answered.model_answered.iteration = 1
    assert attempts_in([failed]) == 2
    assert attempts_in([failed, answered]) == 0
    assert attempts_in([ended(timer_at("x", 5).timer_set)]) == 0
