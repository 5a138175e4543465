"""Ours: the circuit breaker, by example and by everything that can happen to it."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hector_plugin_host.breaker import FEWEST, LONGEST_S, OPEN_S, WINDOW_S, Breaker, Circuit


def feed(breaker: Breaker, now: float, *ends: bool | None) -> None:
    for failed in ends:
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.ended(ticket, now, failed)


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker()
    feed(breaker, now, *[True] * FEWEST)
    assert breaker.circuit is Circuit.OPEN
    return breaker


def test_it_opens_when_half_of_twenty_calls_have_failed() -> None:
    breaker = Breaker()
    feed(breaker, 100.0, *[True] * 9, *[False] * 10)
    assert breaker.circuit is Circuit.CLOSED
    feed(breaker, 100.0, True)
    assert breaker.circuit is Circuit.OPEN
    assert breaker.admit(100.0) is None


def test_a_few_failures_say_nothing_however_bad() -> None:
    breaker = Breaker()
    feed(breaker, 100.0, *[True] * (FEWEST - 1))
    assert breaker.circuit is Circuit.CLOSED


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = Breaker()
    feed(breaker, 100.0, *[True] * (FEWEST - 1))
    feed(breaker, 100.0 + WINDOW_S + 2, True)
    assert breaker.circuit is Circuit.CLOSED


def test_calls_that_were_cancelled_do_not_count() -> None:
    breaker = Breaker()
    feed(breaker, 100.0, *[None] * 100)
    feed(breaker, 100.0, *[True] * (FEWEST - 1))
    assert breaker.circuit is Circuit.CLOSED


def test_after_a_while_one_call_may_try_and_its_success_closes_it() -> None:
    breaker = opened(100.0)
    assert breaker.admit(100.0 + OPEN_S - 0.1) is None
    ticket = breaker.admit(100.0 + OPEN_S)
    assert ticket is not None
    assert breaker.admit(100.0 + OPEN_S) is None
    breaker.ended(ticket, 106.0, False)
    assert breaker.circuit is Circuit.CLOSED


def test_a_trial_that_fails_opens_it_for_twice_as_long() -> None:
    breaker, now = opened(100.0), 100.0
    for wait_s in (5, 10, 20, 40, 60, 60):
        assert breaker.admit(now + wait_s - 0.1) is None
        now += wait_s
        ticket = breaker.admit(now)
        assert ticket is not None
        breaker.ended(ticket, now, True)
    assert breaker.retry_after_s(now) == LONGEST_S


def test_a_trial_that_was_cancelled_leaves_room_for_another() -> None:
    breaker = opened(100.0)
    ticket = breaker.admit(106.0)
    assert ticket is not None
    breaker.ended(ticket, 106.0, None)
    assert breaker.admit(106.0) is not None


def test_a_call_of_before_says_nothing_about_a_trial() -> None:
    breaker = Breaker()
    early = breaker.admit(100.0)
    assert early is not None
    feed(breaker, 100.0, *[True] * FEWEST)
    assert breaker.admit(106.0) is not None
    breaker.ended(early, 106.0, False)
    assert breaker.circuit is Circuit.HALF_OPEN


class Anything(RuleBasedStateMachine):
    """Calls begin, end and are cancelled in any order, as time goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = Breaker(), 0.0
        self.tickets: list[int] = []
        self.trials = 0

    @rule(by_s=st.floats(0, 100))
    def wait(self, by_s: float) -> None:
        self.now += by_s

    @rule()
    def begin(self) -> None:
        ticket = self.breaker.admit(self.now)
        if ticket is not None:
            self.tickets.append(ticket)

    @precondition(lambda self: self.tickets)
    @rule(which=st.integers(0, 1_000), failed=st.sampled_from([True, True, False, None]))
    def end(self, which: int, failed: bool | None) -> None:
        self.breaker.ended(self.tickets.pop(which % len(self.tickets)), self.now, failed)

    @invariant()
    def at_most_one_call_tries(self) -> None:
        if self.breaker.circuit is Circuit.HALF_OPEN:
            trials = [ticket for ticket in self.tickets if ticket == self.breaker._epoch]
            assert len(trials) <= 1

    @invariant()
    def nobody_waits_for_long(self) -> None:
        assert self.breaker.retry_after_s(self.now) <= LONGEST_S

    @invariant()
    def it_never_stays_shut(self) -> None:
        if self.breaker.circuit is Circuit.OPEN:
            assert self.breaker._until <= self.now + LONGEST_S


TestAnything = Anything.TestCase


@given(st.integers(FEWEST, 200), st.floats(0.0, 1.0))
def test_the_share_of_failures_decides(total: int, share: float) -> None:
    breaker, failures = Breaker(), int(total * share)
    feed_all = [False] * (total - failures) + [True] * failures  # the worst moment is the last
    for failed in feed_all:
        ticket = breaker.admit(50.0)
        if ticket is None:
            break
        breaker.ended(ticket, 50.0, failed)
    assert (breaker.circuit is Circuit.OPEN) == (failures * 2 >= total)
