"""Contract: hector.reasoning.v1, InitializeResponse.reusable."""

import pytest

from hector.reasoning.v1 import InitializeRequest, InitializeResponse, State
from hector_agent import beginning
from hector_agent.beginning import Beginning


class Strategy:
    """Answers with what it is given, and counts."""

    def __init__(self, **answer: object) -> None:
        self.answer, self.runs = answer, []

    async def Initialize(self, request):
        self.runs.append((request.run, request.history_length))
        return InitializeResponse(state=State(data=b"begun"), **self.answer)


def wanted(limit=3):
    return InitializeRequest(max_iterations=limit, options_json="{}")


async def test_a_reusable_beginning_is_asked_for_once():
    strategy = Strategy(reusable=True)
    kept = Beginning(strategy)
    first = await kept.begin(wanted(), "r1", 0)
    first.state.data = b"changed by whoever got it"
    second = await kept.begin(wanted(), "r2", 5)
    assert strategy.runs == [("r1", 0)]
    assert second.state.data == b"begun"


@pytest.mark.parametrize("answer", [{}, {"reusable": True, "error": "not today"}], ids=["silent", "failed"])
async def test_any_other_beginning_is_asked_for_by_every_run(answer):
    strategy = Strategy(**answer)
    kept = Beginning(strategy)
    for run in ("r1", "r2"):
        await kept.begin(wanted(), run, 0)
    assert strategy.runs == [("r1", 0), ("r2", 0)]


async def test_another_request_is_another_beginning():
    strategy = Strategy(reusable=True)
    kept = Beginning(strategy)
    await kept.begin(wanted(), "r1", 0)
    await kept.begin(wanted(limit=4), "r2", 0)
    assert [run for run, _ in strategy.runs] == ["r1", "r2"]


async def test_a_beginning_is_asked_for_again_after_a_while(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(beginning.time, "monotonic", lambda: now[0])
    strategy = Strategy(reusable=True)
    kept = Beginning(strategy)
    await kept.begin(wanted(), "r1", 0)
    now[0] += beginning.FRESH_S
    await kept.begin(wanted(), "r2", 0)
    assert [run for run, _ in strategy.runs] == ["r1", "r2"]
