"""A2A 1.0 section 3.7 and 13.1, and 1.13 of the table: which agent is meant, and whose tasks there are."""

from typing import Any

from a2a_rules import wire
from a2a_rules.house import House, key_of
from a2a_rules.reading import known_by, refused_by, state_of, text_of
from a2a_rules.table import keeps
from support.doors import Door, Refused, sending


async def asked_at_root(door: Door, rpc: str, params: Any, caller: str = "ada") -> Any:
    """Ask at no agent's path, so that only the request can name one."""
    if door.binding == "GRPC":
        said = {"authorization": f"Bearer {key_of(caller)}"}
        return (await door.at("").call(rpc, params, said)).found
    verb, path, body = wire.request_of(door, rpc, params)
    shown = {"authorization": f"Bearer {key_of(caller)}"}
    found = (await wire.send(door, verb, f"/{path or '/'}", body, shown)).json
    if "error" in found:
        details = found["error"].get("data", found["error"].get("details"))
        raise Refused(details[0]["reason"], found["error"]["code"], found["error"]["message"])
    return found.get("result", found)


@keeps("1.13-body-tenant")
async def test_the_tenant_in_the_request_names_the_agent(door: Door) -> None:
    sent = await asked_at_root(door, "SendMessage", {"tenant": "whole", **sending("ask")})
    task = sent["task"]["id"]
    assert state_of(sent["task"]) == "INPUT_REQUIRED"
    found = await asked_at_root(door, "GetTask", {"tenant": "whole", "id": task})
    assert found["id"] == task
    found = await asked_at_root(door, "CancelTask", {"tenant": "whole", "id": task})
    assert state_of(found) == "CANCELED"
    default = await asked_at_root(door, "SendMessage", sending("hi"))
    assert text_of(default["task"]) == "you said: hi"


@keeps("1.13-path-tenant")
async def test_a_tenant_in_the_path_names_the_agent(door: Door) -> None:
    sent = (await wire.send(door, "POST", "//whole/message:send", sending("ask"))).result
    task = sent["task"]["id"]
    assert (await wire.send(door, "GET", f"//whole/tasks/{task}")).result["id"] == task
    assert (await wire.send(door, "GET", f"//actor/tasks/{task}")).status == 404


@keeps("1.13-path-needs-none")
async def test_below_an_agents_path_no_tenant_is_needed(door: Door) -> None:
    assert (await wire.ask(door, "SendMessage", sending("hi"))).result["task"]["id"]
    same = await wire.ask(door, "SendMessage", {"tenant": "actor", **sending("hi")})
    assert same.result["task"]["id"]


@keeps("1.13-mismatch")
async def test_a_tenant_that_is_another_one_than_the_paths_is_refused(door: Door) -> None:
    refused = await refused_by(door.call("SendMessage", {"tenant": "whole", **sending("hi")}))
    assert refused.reason == "INVALID_PARAMS"
    assert {*refused.violations} == {"tenant"}


@keeps("1.13-unknown")
async def test_an_agent_that_there_is_not_is_refused(door: Door, house: House) -> None:
    refused = await refused_by(house.door(type(door), "nobody").send("hi"))
    assert refused.reason == "AGENT_NOT_FOUND"
    assert refused.code in (404, "NOT_FOUND")
    if door.version == "1.0":
        found = await refused_by(asked_at_root(door, "SendMessage", {"tenant": "nobody", **sending("hi")}))
        assert found.reason == "AGENT_NOT_FOUND"


@keeps("1.13-not-identity")
async def test_a_tenant_gives_no_right(door: Door, house: House) -> None:
    task = (await door.send("hi"))["id"]
    for caller in ("bob", "newcomer-0"):
        other = house.door(type(door), caller=caller)
        assert (await refused_by(other.get(task))).reason == "TASK_NOT_FOUND"
        if door.version == "1.0":
            asking = other.call("GetTask", {"tenant": "actor", "id": task})
            assert (await refused_by(asking)).reason == "TASK_NOT_FOUND"


@keeps("1.13-context-not-shared")
async def test_others_find_nothing_in_a_context(door: Door, house: House) -> None:
    context = (await door.send("hi"))["contextId"]
    bob = house.door(type(door), caller="bob")
    known = known_by(await bob.send("tell", contextId=context))
    assert known["history"] == []
    assert known["caller"] == "bob"
    mine = known_by(await door.send("tell", contextId=context))
    assert [one["parts"][0]["text"] for one in mine["history"]] == ["hi", "you said: hi"]


@keeps("1.13-agents-apart")
async def test_a_task_of_one_agent_is_not_found_at_another(door: Door, house: House) -> None:
    task = (await door.send("ask"))["id"]
    whole = house.door(type(door), "whole")
    for asking in (whole.get(task), whole.cancel(task), whole.send("hi", taskId=task)):
        assert (await refused_by(asking)).reason == "TASK_NOT_FOUND"
    assert state_of(await door.get(task)) == "INPUT_REQUIRED"
