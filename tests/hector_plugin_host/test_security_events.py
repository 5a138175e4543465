"""What is told to whoever is responsible for security, and by whom it cannot be drowned."""

import logging

import pytest

from hector_plugin_host import security_events
from hector_plugin_host.measuring import SECURITY_EVENTS
from hector_plugin_host.security_events import BURST, report


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = [100.0]
    monkeypatch.setattr(security_events, "monotonic", lambda: time[0])
    monkeypatch.setattr(security_events, "_lines", {})
    return time


def test_a_plugin_that_is_refused_without_end_does_not_fill_the_log(
    now: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[str, str]] = []
    monkeypatch.setattr(SECURITY_EVENTS, "add", lambda plugin, event: counted.append((plugin, event)))
    for _ in range(1_000):
        report("network_refused", "loud", host="evil.test")
    assert len(caplog.records) == BURST
    assert len(counted) == 1_000
    now[0] += 1
    report("network_refused", "loud", host="evil.test")
    assert caplog.records[-1].__dict__["left_out"] == 1_000 - BURST


def test_neither_other_plugins_nor_other_events_are_left_out_for_it(
    now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1_000):
        report("network_refused", "loud")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        report("crash", "loud")
        report("network_refused", "other")
    assert [(one.__dict__["plugin"], one.__dict__["event"]) for one in caplog.records] == [
        ("loud", "crash"),
        ("other", "network_refused"),
    ]
