"""A2A 1.0 section 3.1.4, and 1.10 of the table: how tasks are listed."""

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from a2a_rules.house import CALLERS, House
from a2a_rules.reading import refused_by, state_of
from a2a_rules.table import keeps
from support.doors import Door

_newcomers: Iterator[int] = count()


@pytest.fixture
def newcomer(house: House, door: Door) -> Door:
    """The door for a caller who has no tasks yet."""
    strangers = CALLERS[2:]
    return house.door(type(door), caller=strangers[next(_newcomers) % len(strangers)])


async def made(door: Door, number: int) -> list[str]:
    """Return ids of so many finished tasks of one context, the oldest first."""
    tasks = [await door.send(f"hi {index}", contextId="mine") for index in range(number)]
    return [task["id"] for task in tasks]


def ids(page: Any) -> list[str]:
    return [task["id"] for task in page.get("tasks", ())]


@keeps("1.10-list-order")
async def test_the_latest_change_comes_first(newcomer: Door, door: Door) -> None:
    asked = (await newcomer.send("ask"))["id"]
    later = await made(newcomer, 3)
    assert ids(await newcomer.list()) == [*reversed(later), asked]
    await newcomer.send("hi", taskId=asked)
    page = await newcomer.list()
    assert ids(page) == [asked, *reversed(later)]
    times = [datetime.fromisoformat(task["status"]["timestamp"]) for task in page["tasks"]]
    assert times == sorted(times, reverse=True)


@keeps("1.10-list-pages")
async def test_pages_follow_each_other(newcomer: Door, door: Door) -> None:
    tasks = await made(newcomer, 5)
    seen: list[str] = []
    token, sizes = "", []
    while True:
        page = await newcomer.list(pageSize=2, **({"pageToken": token} if token else {}))
        seen += ids(page)
        sizes.append((len(page["tasks"]), page["pageSize"]))
        token = page.get("nextPageToken", "")
        if not token:
            break
        await newcomer.send("in between")  # belongs to no page that is still to come
    assert seen == [*reversed(tasks)]
    assert sizes == [(2, 2), (2, 2), (1, 2)]


@keeps("1.10-list-size")
async def test_a_page_has_fifty_tasks_unless_it_says_so(newcomer: Door, door: Door) -> None:
    await made(newcomer, 2)
    assert (await newcomer.list())["pageSize"] == 50
    assert len((await newcomer.list(pageSize=1))["tasks"]) == 1
    assert len((await newcomer.list(pageSize=100))["tasks"]) == 2


@keeps("1.10-list-size-bad")
@pytest.mark.parametrize("size", [0, 101, -1, 2**31 - 1])
async def test_pages_of_a_size_that_there_is_not_are_refused(door: Door, size: int) -> None:
    refused = await refused_by(door.list(pageSize=size))
    assert refused.reason == "INVALID_PARAMS"
    assert {*refused.violations} == {"pageSize"}


@keeps("1.10-list-filters")
async def test_tasks_are_found_by_context_and_state(newcomer: Door, door: Door) -> None:
    done, asked = (await newcomer.send("hi", contextId="a"))["id"], (await newcomer.send("ask"))["id"]
    failed = (await newcomer.send("fail", contextId="a"))["id"]
    by_state = {
        "TASK_STATE_COMPLETED": [done],
        "TASK_STATE_INPUT_REQUIRED": [asked],
        "TASK_STATE_FAILED": [failed],
        "TASK_STATE_WORKING": [],
        "TASK_STATE_CANCELED": [],
    }
    for state, expected in by_state.items():
        assert ids(await newcomer.list(status=state)) == expected
    assert ids(await newcomer.list(contextId="a")) == [failed, done]
    assert ids(await newcomer.list(contextId="a", status="TASK_STATE_COMPLETED")) == [done]
    assert ids(await newcomer.list(contextId="b")) == []


@keeps("1.10-list-after")
async def test_after_includes_the_moment_itself(newcomer: Door, door: Door) -> None:
    older, newer = await made(newcomer, 2)
    times = {task["id"]: task["status"]["timestamp"] for task in (await newcomer.list())["tasks"]}
    assert ids(await newcomer.list(statusTimestampAfter=times[older])) == [newer, older]
    found = ids(await newcomer.list(statusTimestampAfter=times[newer]))
    assert newer in found
    assert ids(await newcomer.list(statusTimestampAfter="2999-01-01T00:00:00Z")) == []


@keeps("1.10-list-artifacts")
async def test_artifacts_are_there_when_asked_for(newcomer: Door, door: Door) -> None:
    await made(newcomer, 1)
    for asked in ({}, {"includeArtifacts": False}):
        assert "artifacts" not in (await newcomer.list(**asked))["tasks"][0]
    task = (await newcomer.list(includeArtifacts=True))["tasks"][0]
    assert task["artifacts"][0]["parts"] == [{"text": "you said: hi 0"}]
    assert task == await newcomer.get(task["id"])


@keeps("1.10-list-total")
async def test_the_total_counts_all_that_match(newcomer: Door, door: Door) -> None:
    await made(newcomer, 3)
    await newcomer.send("fail")
    first = await newcomer.list(pageSize=2)
    second = await newcomer.list(pageSize=2, pageToken=first["nextPageToken"])
    assert (first["totalSize"], second["totalSize"]) == (4, 4)
    assert (await newcomer.list(status="TASK_STATE_COMPLETED", pageSize=1))["totalSize"] == 3
    assert (await newcomer.list(contextId="none such")).get("totalSize", 0) == 0


@keeps("1.10-list-token-bad")
@pytest.mark.parametrize("token", ["x", "0", "bm9uZQ", "../..", "ü", "A" * 5000])
async def test_a_token_that_is_none_is_refused(door: Door, token: str) -> None:
    refused = await refused_by(door.list(pageToken=token))
    assert refused.code in (-32602, 400, "INVALID_ARGUMENT")


@keeps("1.10-list-own")
async def test_everybody_lists_their_own_tasks(newcomer: Door, house: House, door: Door) -> None:
    mine = await made(newcomer, 2)
    theirs = (await door.send("hi", contextId="mine"))["id"]
    assert ids(await newcomer.list(contextId="mine")) == [*reversed(mine)]
    assert theirs in ids(await door.list(contextId="mine", pageSize=100))
    assert not {*mine} & {*ids(await door.list(contextId="mine", pageSize=100))}
    assert state_of((await newcomer.list())["tasks"][0]) == "COMPLETED"


@keeps("1.10-list-agent")
async def test_an_agent_lists_its_own_tasks(newcomer: Door, door: Door) -> None:
    mine = await made(newcomer, 2)
    theirs = await made(newcomer.at("whole"), 1)
    assert ids(await newcomer.list()) == [*reversed(mine)]
    assert ids(await newcomer.at("whole").list()) == theirs
