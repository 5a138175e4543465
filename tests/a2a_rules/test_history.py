"""A2A 1.0 section 3.2.4, and 1.10 of the table: how much of a task's history is shown."""

import pytest
from a2a_rules.reading import refused_by
from a2a_rules.table import keeps
from support.doors import Door, sending


async def asked_thrice(door: Door) -> str:
    """Return a task in whose history are three messages of the user's, and what the agent asked between."""
    task = (await door.send("ask", messageId="1"))["id"]
    await door.send("ask", taskId=task, messageId="2")
    await door.send("ask", taskId=task, messageId="3")
    return str(task)


@keeps("1.10-history-unset")
async def test_a_history_length_left_out_shows_all_of_it(door: Door) -> None:
    history = (await door.get(await asked_thrice(door)))["history"]
    assert [one["messageId"] for one in history if one["role"] == "ROLE_USER"] == ["1", "2", "3"]


@keeps("1.10-history-zero")
async def test_a_history_length_of_zero_leaves_it_out(door: Door) -> None:
    task = await asked_thrice(door)
    assert "history" not in await door.get(task, historyLength=0)
    sent = await door.send("hi", taskId=task, configuration={"historyLength": 0})
    assert "history" not in sent
    listed = await door.list(contextId=sent["contextId"], historyLength=0)
    assert "history" not in listed["tasks"][0]


@keeps("1.10-history-latest")
@pytest.mark.parametrize("most", [1, 2, 3, 100])
async def test_a_history_length_shows_the_latest_messages(door: Door, most: int) -> None:
    task = await asked_thrice(door)
    whole = (await door.get(task))["history"]
    assert (await door.get(task, historyLength=most))["history"] == whole[-most:]


@keeps("1.10-history-negative")
async def test_a_negative_history_length_is_refused(door: Door) -> None:
    task = (await door.send("hi"))["id"]
    for asking in (
        door.get(task, historyLength=-1),
        door.call("SendMessage", sending("hi", configuration={"historyLength": -1})),
    ):
        refused = await refused_by(asking)
        assert refused.reason == "INVALID_PARAMS"
        assert any("historyLength" in name for name in refused.violations)


@keeps("1.10-history-send")
async def test_a_sends_answer_obeys_it(door: Door) -> None:
    task = await asked_thrice(door)
    sent = await door.send("hi", taskId=task, messageId="4", configuration={"historyLength": 1})
    assert [one["messageId"] for one in sent["history"]] == ["4"]


@keeps("1.10-history-list")
async def test_listed_tasks_obey_it(door: Door) -> None:
    task = await asked_thrice(door)
    context = (await door.get(task))["contextId"]
    whole = (await door.list(contextId=context))["tasks"][0]["history"]
    assert [one["messageId"] for one in whole if one["role"] == "ROLE_USER"] == ["1", "2", "3"]
    assert (await door.list(contextId=context, historyLength=2))["tasks"][0]["history"] == whole[-2:]
    refused = await refused_by(door.list(historyLength=-1))
    assert refused.reason == "INVALID_PARAMS"
