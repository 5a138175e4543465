"""Ours: what is measured of the queue is what is in the database."""

import pytest

from hector_agent.commands.gauging import look
from hector_agent.commands.measuring import AGE_S, DEAD, DEPTH
from hector_store import NOW, Dead, NewRun, RunChanges, RunLog, opened


@pytest.fixture
def told(monkeypatch):
    values: dict[tuple[str, ...], float] = {}
    for name, gauge in (("depth", DEPTH), ("age_s", AGE_S), ("dead", DEAD)):
        monkeypatch.setattr(
            gauge, "set", lambda *labels, value, name=name: values.update({(name, *labels): value})
        )
    return values


async def test_what_is_due_and_dead_is_measured_and_what_is_gone_counts_nothing(told):
    async with opened("inmemory") as database:
        log, known = RunLog(database), set()
        due = await log.create(NewRun(app="default", owner="ada", agent="writer", due_us=NOW))
        await look(database, known)
        assert (told["depth", "writer"], told["dead", "writer"]) == (1, 0)
        assert told[("age_s",)] >= 0
        dead = Dead("writer", "MODEL_UNREACHABLE", "away", 3)
        await log.append(due.run_id, due.epoch, (), RunChanges(state="RUN_STATE_FAILED"), dead=dead)
        await look(database, known)
    assert (told["depth", "writer"], told["dead", "writer"], told[("age_s",)]) == (0, 1, 0)
