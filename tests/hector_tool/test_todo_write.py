"""`todo_write`: the list lives in the session's state, so a new process knows it as well as the old one."""

import json

from hector.tool.v1 import ToolContext


def todo(name, content="Do it", status="pending"):
    return {"id": name, "content": content, "status": status}


async def test_a_list_becomes_a_change_of_state_and_a_text(every, call):
    said = await call(every, "todo_write", todos=[todo("1", "Read"), todo("2", "Write", "in_progress")])
    assert said.result == "0 of 2 done:\n[ ] 1: Read\n[>] 2: Write"
    assert json.loads(said.state_delta_json) == {
        "todos": [todo("1", "Read"), todo("2", "Write", "in_progress")]
    }


async def test_a_merge_changes_what_the_state_holds_and_keeps_its_order(every, call):
    kept = json.dumps({"todos": [todo("1", "Read"), todo("2", "Write")]})
    context = ToolContext(session="s", state_json=kept)
    said = await call(
        every, "todo_write", context, merge=True, todos=[todo("1", "Read", "completed"), todo("3", "Send")]
    )
    assert said.result == "1 of 3 done:\n[x] 1: Read\n[ ] 2: Write\n[ ] 3: Send"


async def test_a_whole_list_replaces_what_the_state_holds(every, call):
    context = ToolContext(state_json=json.dumps({"todos": [todo("1")]}))
    said = await call(every, "todo_write", context, todos=[todo("9", status="canceled")])
    assert said.result == "1 of 1 done:\n[-] 9: Do it"


async def test_a_session_without_a_list_begins_with_none(every, call):
    for state in ("", "{}"):
        said = await call(every, "todo_write", ToolContext(state_json=state), merge=True, todos=[todo("1")])
        assert len(json.loads(said.state_delta_json)["todos"]) == 1


async def test_a_state_that_holds_something_else_is_not_overwritten_by_a_merge(every, call):
    for state in ('{"todos": "milk"}', '{"todos": [{"id": 1}]}', "nonsense"):
        said = await call(every, "todo_write", ToolContext(state_json=state), merge=True, todos=[todo("1")])
        assert "holds no to-do list" in said.error
        assert not said.state_delta_json


async def test_nothing_of_one_session_is_seen_in_another(every, call):
    await call(every, "todo_write", ToolContext(session="a"), todos=[todo("1", "Mine")])
    said = await call(every, "todo_write", ToolContext(session="b"), merge=True, todos=[todo("2", "Yours")])
    assert "Mine" not in said.result


async def test_a_list_has_a_limit(every, call):
    kept = json.dumps({"todos": [todo(str(number)) for number in range(200)]})
    said = await call(every, "todo_write", ToolContext(state_json=kept), merge=True, todos=[todo("new")])
    assert "the limit is 200" in said.error
