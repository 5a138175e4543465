"""Ours: when a plugin that crashed is started again."""

from hypothesis import given
from hypothesis import strategies as st

from hector_plugin_host import Restart
from hector_plugin_host.backoff import Restarts


def most(_: float, bound: float) -> float:
    return bound


def test_each_wait_is_drawn_below_a_bound_that_doubles_up_to_its_cap() -> None:
    restarts = Restarts(Restart(backoff_s=0.5, cap_s=3, window_s=1e9, most=99), most)
    assert [restarts.crashed(at, well_s=0).delay_s for at in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_wait_may_be_anything_between_nothing_and_its_bound() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(least: float, bound: float) -> float:
        drawn.append((least, bound))
        return least

    Restarts(Restart(), draw).crashed(0, well_s=0)
    assert drawn == [(0.0, 0.5)]


def test_the_fifth_crash_within_the_window_ends_the_attempts_but_for_one_now_and_then() -> None:
    restarts = Restarts(Restart(), most)
    follows = [restarts.crashed(at, well_s=0) for at in range(6)]
    assert [one.quarantined for one in follows] == [False] * 4 + [True] * 2
    assert follows[4].delay_s == follows[5].delay_s == 300


def test_crashes_that_are_far_apart_do_not_add_up() -> None:
    restarts = Restarts(Restart(), most)
    assert not any(restarts.crashed(at * 100.0, well_s=0).quarantined for at in range(20))


def test_a_trial_that_crashes_is_the_last_for_a_while_and_one_that_runs_well_ends_it() -> None:
    restarts = Restarts(Restart(), most)
    for at in range(5):
        restarts.crashed(at, well_s=0)
    assert restarts.crashed(400, well_s=10).quarantined
    assert restarts.crashed(800, well_s=61).delay_s == 0.5


def test_what_is_not_ours_to_start_is_tried_for_ever() -> None:
    restarts = Restarts(Restart(), most, quarantine=False)
    assert not any(restarts.crashed(at, well_s=0).quarantined for at in range(50))


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 100)), max_size=50))
def test_no_history_leads_to_a_wait_beyond_what_the_plan_says(history: list[tuple[float, float]]) -> None:
    restart, now = Restart(), 0.0
    restarts = Restarts(restart)
    for after_s, well_s in history:
        now += after_s
        follows = restarts.crashed(now, well_s=well_s)
        if follows.quarantined:
            assert follows.delay_s == restart.probe_s
        else:
            assert 0 <= follows.delay_s <= restart.cap_s
    assert restarts.total == len(history)
