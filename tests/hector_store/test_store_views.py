"""What is read across runs: conversations, lists, sessions, large payloads, and events from the future."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection

from hector_mesh import HectorError
from hector_store import (
    EVENT_FORMAT,
    ContextRow,
    Database,
    EventRow,
    NewEvent,
    NewRun,
    RunChanges,
    RunLog,
    readable,
)
from hector_store.errors import InvalidValue
from hector_store.schema import INLINE_BYTES, blobs, run_events


def a_run(**fields: object) -> NewRun:
    return NewRun(**{"app": "default", "owner": "ann", "agent": "helper", "context_id": "c1"} | fields)  # type: ignore[arg-type]


def told(events: Sequence[EventRow]) -> list[str]:
    return [event.payload.decode() for event in events]


async def test_a_conversation_is_told_run_by_run(log: RunLog) -> None:
    first = await log.create(a_run(), [NewEvent("in", b"1a")])
    second = await log.create(a_run(agent="other"), [NewEvent("in", b"2a")])
    await log.append(first.run_id, 1, [NewEvent("out", b"1b")])
    await log.append(second.run_id, 1, [NewEvent("out", b"2b")])
    for foreign in ({"owner": "bob"}, {"app": "other"}, {"context_id": "c2"}):
        await log.create(a_run(**foreign), [NewEvent("in", b"foreign")])
    ask = ("default", "ann", "c1")
    assert told(await log.conversation(*ask)) == ["1a", "1b", "2a", "2b"]
    assert told(await log.conversation(*ask, before_position=2)) == ["1a", "1b"]
    assert told(await log.conversation(*ask, kinds=["out"])) == ["1b", "2b"]
    assert told(await log.conversation(*ask, limit=3)) == ["1b", "2a", "2b"]
    assert told(await log.conversation(*ask, kinds=["in"], limit=1, before_position=2)) == ["1a"]


async def test_runs_are_told_with_the_events_they_had_when_they_were_read(log: RunLog) -> None:
    made = [await log.create(a_run(), [NewEvent("in", b"%da" % n), NewEvent("x")]) for n in range(3)]
    story = await log.story("default", "ann", made[1].run_id, ["in", "out"])
    page = await log.list("default", "ann")
    await log.append(made[1].run_id, 1, [NewEvent("out", b"late")])
    found = await log.events_of(page.runs, ["in", "out"])
    assert story is not None
    assert (story[0].id, told(story[1])) == (made[1].run_id, ["1a"])
    assert {run_id: told(events) for run_id, events in found.items()} == {
        created.run_id: [f"{n}a"] for n, created in enumerate(made)
    }
    again = await log.story("default", None, made[1].run_id, ["out"])
    assert again is not None
    assert told(again[1]) == ["late"]
    assert await log.story("default", "bob", made[1].run_id, ["in"]) is None
    assert await log.events_of([], ["in"]) == {}


async def test_a_new_context_that_is_not_new_is_refused_and_loses_nothing(log: RunLog) -> None:
    first, second = await asyncio.gather(*(log.create(a_run(new_context=True, context_id=c)) for c in "xy"))
    assert (first.context_position, second.context_position) == (1, 1)
    with pytest.raises(HectorError, match="begun in context 'x' at once"):
        await log.create(a_run(new_context=True, context_id="x"))
    assert (await log.create(a_run(context_id="x"))).context_position == 2


async def test_runs_without_a_context_are_no_conversation(log: RunLog) -> None:
    created = await log.create(a_run(context_id="", kind="index"), [NewEvent("in", b"x")])
    assert await log.conversation("default", "ann", "") == []
    assert (await log.contexts("default", "ann")).contexts == ()
    assert await log.context("default", "ann", "") is None
    assert await log.delete_context("default", "ann", "") == 0
    assert await log.get("default", "ann", created.run_id) is not None


async def test_a_list_shows_the_latest_change_first(log: RunLog) -> None:
    made = [await log.create(a_run(status_time_us=n + 1, view=b"v")) for n in range(5)]
    await log.append(made[1].run_id, 1, [], RunChanges(state="RUN_STATE_WORKING", status_time_us=9))
    page = await log.list("default", "ann")
    assert [run.id for run in page.runs] == [made[n].run_id for n in (1, 4, 3, 2, 0)]
    assert (page.next_page_token, page.total_size) == ("", 5)
    assert page.runs[0].view == b"v"


async def test_a_list_is_filtered_by_all_that_is_given(log: RunLog) -> None:
    await log.create(a_run(owner="bob", status_time_us=1))
    await log.create(a_run(context_id="c2", status_time_us=2))
    await log.create(a_run(agent="other", status_time_us=3))
    await log.create(a_run(state="RUN_STATE_FAILED", status_time_us=4))
    await log.create(a_run(is_task=False, status_time_us=5))
    await log.create(a_run(kind="session", status_time_us=6))
    await log.create(a_run(parent="p", status_time_us=7))

    async def times(owner: str | None = None, **filters: object) -> list[int]:
        page = await log.list("default", owner, **filters)  # type: ignore[arg-type]
        assert page.total_size == len(page.runs)
        return [run.status_time_us for run in page.runs]

    assert await times() == [7, 6, 5, 4, 3, 2, 1]
    assert await times("ann") == [7, 6, 5, 4, 3, 2]
    assert await times("nobody") == []
    assert await times(context_id="c2") == [2]
    assert await times(agent="other") == [3]
    assert await times(states=["RUN_STATE_FAILED", "RUN_STATE_WORKING"]) == [4]
    assert await times(states=[]) == []
    assert await times(only_tasks=True) == [7, 6, 4, 3, 2, 1]
    assert await times(kinds=["session"]) == [6]
    assert await times(parent="p") == [7]
    assert await times(status_after_us=5) == [7, 6]
    assert await times("ann", context_id="c1", agent="helper", only_tasks=True, status_after_us=3) == [
        7,
        6,
        4,
    ]


async def test_pages_hold_each_run_once_while_new_ones_arrive(log: RunLog) -> None:
    made = [await log.create(a_run(status_time_us=n // 3 + 1)) for n in range(20)]  # times repeat
    seen: list[str] = []
    token, number = "", 0
    while True:
        page = await log.list("default", "ann", page_size=3, page_token=token)
        seen += [run.id for run in page.runs]
        assert len(page.runs) == 3 or not page.next_page_token
        token, number = page.next_page_token, number + 1
        if not token:
            break
        await log.create(a_run(status_time_us=1000 + number))
    assert len(seen) == len(set(seen))
    assert set(seen) == {created.run_id for created in made}


async def test_the_last_page_has_no_token(log: RunLog) -> None:
    for n in range(4):
        await log.create(a_run(status_time_us=n + 1, context_id=f"c{n}"))
    page = await log.list("default", "ann", page_size=2)
    last = await log.list("default", "ann", page_size=2, page_token=page.next_page_token)
    assert (len(last.runs), last.next_page_token, last.total_size) == (2, "", 4)
    contexts = await log.contexts("default", "ann", page_size=2)
    rest = await log.contexts("default", "ann", page_size=2, page_token=contexts.next_page_token)
    assert [row.context_id for row in (*contexts.contexts, *rest.contexts)] == ["c3", "c2", "c1", "c0"]
    assert rest.next_page_token == ""


@pytest.mark.parametrize("token", ["x", "ä", "MQ", "MQAx", "MQBhAGI", "===", "MQAxADIAMwA0", "\0"])
async def test_a_token_that_is_not_ours_is_refused(log: RunLog, token: str) -> None:
    for ask in (log.list, log.contexts):
        with pytest.raises(HectorError) as caught:
            await ask("default", "ann", page_token=token)
        assert caught.value.reason == "INVALID_PAGE_TOKEN"


async def test_a_session_is_the_sum_of_its_runs(log: RunLog) -> None:
    first = await log.create(a_run())
    await log.create(a_run(context_id="c2", status_time_us=1))
    second = await log.create(a_run(agent="later", status_time_us=first.time_us + 5))
    await log.create(a_run(owner="bob"))
    row = await log.context("default", "ann", "c1")
    assert row == ContextRow("default", "ann", "c1", "later", 2, first.time_us, first.time_us + 5, latest=2)
    assert second.context_position == 2
    assert await log.context("default", "bob", "c2") is None
    page = await log.contexts("default", "ann")
    assert [(row.context_id, row.runs) for row in page.contexts] == [("c1", 2), ("c2", 1)]
    assert [row.context_id for row in (await log.contexts("default", "ann", agent="helper")).contexts] == [
        "c2"
    ]
    assert {(row.owner, row.context_id) for row in (await log.contexts("default", None)).contexts} == {
        ("ann", "c1"),
        ("ann", "c2"),
        ("bob", "c1"),
    }


async def test_sessions_are_paged_without_gaps(log: RunLog) -> None:
    for n in range(11):
        await log.create(a_run(context_id=f"c{n}", status_time_us=n // 4 + 1, owner=f"o{n % 2}"))
    seen, token = [], ""
    while True:
        page = await log.contexts("default", None, page_size=2, page_token=token)
        seen += [row.context_id for row in page.contexts]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == sorted(f"c{n}" for n in range(11))


async def test_a_deleted_session_takes_everything_with_it(log: RunLog, database: Database) -> None:
    done, large = a_run(state="RUN_STATE_COMPLETED"), NewEvent("a", b"x" * (INLINE_BYTES + 1))
    gone = [await log.create(done, [large]) for _ in range(2)]
    kept = await log.create(a_run(owner="bob"), [NewEvent("a", b"kept")])
    await log.signal("default", gone[0].run_id, "cancel")
    assert await log.delete_context("default", "ann", "c1") == 2
    assert await log.delete_context("default", "ann", "c1") == 0
    assert await log.get("default", "ann", gone[0].run_id) is None
    assert await log.signals(gone[0].run_id) == []

    def left(connection: Connection) -> list[Sequence[Any]]:
        return [connection.execute(table.select()).all() for table in (run_events, blobs)]

    events, pieces = await database.read(left)
    assert [event.run_id for event in events] == [kept.run_id]
    assert pieces == []
    with pytest.raises(HectorError) as caught:
        await log.append(gone[0].run_id, 1, [NewEvent("late")])
    assert caught.value.reason == "RUN_NOT_FOUND"
    assert (await log.create(a_run())).context_position == 1


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 3 * INLINE_BYTES, 5_000_001])
async def test_a_payload_of_any_size_comes_back_whole(log: RunLog, size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    events = [NewEvent("small", b"before"), NewEvent("big", payload[:size]), NewEvent("small", b"after")]
    created = await log.create(a_run(), events)
    await log.append(created.run_id, 1, events)
    found = await log.events("default", created.run_id)
    assert [event.payload for event in found] == [event.payload for event in events] * 2
    assert [event.payload for event in await log.conversation("default", "ann", "c1")] == [
        event.payload for event in found
    ]


async def test_many_events_from_many_writers_are_all_there(log: RunLog) -> None:
    async def work(n: int) -> int:
        created = await log.create(a_run(context_id=f"c{n}"), [NewEvent("a", b"0")])
        for seq in range(1, 20):
            await log.append(created.run_id, 1, [NewEvent("a", str(seq).encode())])
        return len(await log.events("default", created.run_id))

    assert await asyncio.gather(*(work(n) for n in range(30))) == [20] * 30


async def test_kinds_of_a_newer_version_are_skipped_or_refused_as_they_say(log: RunLog) -> None:
    """architecture.md: `needs` is the oldest version that may skip the event."""
    created = await log.create(
        a_run(), [NewEvent("known", b"1"), NewEvent("decoration", b"2", needs=EVENT_FORMAT)]
    )
    events = await log.events("default", created.run_id)
    assert [event.kind for event in readable(events, {"known"})] == ["known"]
    await log.append(created.run_id, 1, [NewEvent("vital", b"3", needs=EVENT_FORMAT + 1)])
    raw = await log.events("default", created.run_id)
    assert [event.kind for event in raw] == ["known", "decoration", "vital"]
    with pytest.raises(HectorError) as caught:
        readable(raw, {"known"})
    assert caught.value.reason == "EVENT_NEEDS_NEWER_VERSION"
    assert "upgrade" in str(caught.value)
    assert len(readable(raw, {"known"}, version=EVENT_FORMAT + 1)) == 1
    assert len(readable(raw, {"known", "vital"})) == 2


async def test_a_name_that_no_database_could_keep_is_not_there_or_is_the_callers_mistake(log: RunLog) -> None:
    """Ours: PostgreSQL does not even look for NUL, and must not be taken for broken."""
    await log.create(a_run(), [NewEvent("in", b"1")])
    with suppress(InvalidValue):
        assert await log.get("default", "ann", "a\0b") is None
    with suppress(InvalidValue):
        assert not (await log.list("default", "ann", context_id="a\0b")).runs
    assert (await log.list("default", "ann")).runs
