"""One clock looks after all streams."""

import asyncio

from hector_gateway import pulse
from hector_gateway.pulse import Pulse


class Patient:
    """Counts how often it is looked after, and wants to be seen again until it was seen three times."""

    def __init__(self) -> None:
        self.due, self.seen, self.done = 0, 0, asyncio.Event()

    def looked_after(self, now: float) -> float | None:
        self.seen += 1
        if self.seen < 3:
            return 0.0
        self.done.set()
        return None


async def test_streams_are_looked_after_as_often_as_they_want(monkeypatch):
    monkeypatch.setattr(pulse, "TICK_S", 0.001)
    clock, patients = Pulse(), [Patient() for _ in range(50)]
    for patient in patients:
        clock.begin(patient, 0.002)
    async with asyncio.timeout(5):
        for patient in patients:
            await patient.done.wait()
    assert {patient.seen for patient in patients} == {3}


async def test_a_stream_that_ended_is_not_looked_after_and_not_kept(monkeypatch):
    monkeypatch.setattr(pulse, "TICK_S", 0.001)
    clock, over, other = Pulse(), Patient(), Patient()
    clock.begin(over, 0.0)
    clock.begin(other, 0.0)
    clock.end(over)
    async with asyncio.timeout(5):
        await other.done.wait()
    assert over.seen == 0
    clock.end(other)
    assert not clock._due


async def test_the_clock_stands_still_while_there_are_no_streams(monkeypatch):
    monkeypatch.setattr(pulse, "TICK_S", 0.001)
    clock, patient = Pulse(), Patient()
    clock.begin(patient, 0.0)
    async with asyncio.timeout(5):
        await patient.done.wait()
        while clock._ticking is not None:  # noqa: ASYNC110 - the clock tells nobody that it stops
            await asyncio.sleep(0.001)
    again = Patient()
    clock.begin(again, 0.0)
    async with asyncio.timeout(5):
        await again.done.wait()
