"""Signals, effects and the document index."""

import asyncio

import pytest

from hector_mesh import HectorError
from hector_store import Database, DocumentIndex, DocumentRow, Effect, NewEvent, NewRun, RunLog


@pytest.fixture
async def run_id(log: RunLog) -> str:
    created = await log.create(NewRun(app="default", owner="ann", agent="helper", context_id="c1"))
    return created.run_id


async def test_signals_wait_in_order_until_their_owner_answers_them(log: RunLog, run_id: str) -> None:
    ids = [await log.signal("default", run_id, kind, kind.encode()) for kind in ("first", "second", "third")]
    waiting = await log.signals(run_id)
    assert [(s.id, s.kind, s.payload) for s in waiting] == [
        (id_, kind, kind.encode()) for id_, kind in zip(ids, ("first", "second", "third"), strict=True)
    ]
    assert all(s.time_us > 0 and s.run_id == run_id for s in waiting)
    await log.append(run_id, 1, [NewEvent("answered")], consume=ids[:1])
    assert [s.id for s in await log.signals(run_id)] == ids[1:]
    await log.consume(run_id, 1, ids)
    assert await log.signals(run_id) == []


async def test_signals_are_not_consumed_by_a_stale_owner(log: RunLog, run_id: str) -> None:
    signal = await log.signal("default", run_id, "cancel")
    await log.take_over(run_id, "w2")
    with pytest.raises(HectorError) as caught:
        await log.consume(run_id, 1, [signal])
    assert caught.value.reason == "RUN_FENCED"
    assert [s.id for s in await log.signals(run_id)] == [signal]


async def test_signals_of_another_run_are_not_consumed(log: RunLog, run_id: str) -> None:
    other = await log.create(NewRun(app="default", owner="bob", agent="helper"))
    signal = await log.signal("default", run_id, "cancel")
    await log.consume(other.run_id, 1, [signal])
    assert len(await log.signals(run_id)) == 1


async def test_many_signals_at_once_all_arrive(log: RunLog, run_id: str) -> None:
    ids = await asyncio.gather(*(log.signal("default", run_id, "more", str(n).encode()) for n in range(50)))
    assert [s.id for s in await log.signals(run_id)] == sorted(ids)
    assert [int(s.payload) for s in await log.signals(run_id)] == list(range(50))


async def test_an_effect_is_in_doubt_until_it_is_done(log: RunLog, run_id: str) -> None:
    started = Effect(effect_id="e1", call_id="call-1", tool="write_file", policy="ask")
    await log.record(run_id, 1, started)
    (found,) = await log.effects(run_id)
    assert (found.effect_id, found.call_id, found.tool, found.policy) == ("e1", "call-1", "write_file", "ask")
    assert (found.state, found.finished_time_us) == ("started", 0)
    done = Effect(
        effect_id="e1", call_id="call-1", tool="write_file", policy="ask", state="done", result_ref="2"
    )
    await log.append(run_id, 1, [NewEvent("tool_result")], effects=[done])
    (after,) = await log.effects(run_id)
    assert (after.state, after.result_ref) == ("done", "2")
    assert after.started_time_us == found.started_time_us
    assert after.finished_time_us >= after.started_time_us > 0


async def test_an_effect_of_a_stale_owner_is_not_written(log: RunLog, run_id: str) -> None:
    await log.take_over(run_id, "w2")
    with pytest.raises(HectorError):
        await log.record(run_id, 1, Effect(effect_id="e1"))
    assert await log.effects(run_id) == []


async def test_two_runs_may_use_the_same_effect_id(log: RunLog, run_id: str) -> None:
    other = await log.create(NewRun(app="default", owner="bob", agent="helper"))
    await asyncio.gather(
        log.record(run_id, 1, Effect(effect_id="e")), log.record(other.run_id, 1, Effect(effect_id="e"))
    )
    assert len(await log.effects(run_id)) == len(await log.effects(other.run_id)) == 1


def a_document(document_id: str, **fields: object) -> DocumentRow:
    return DocumentRow(**{"app": "default", "store": "docs", "document_id": document_id} | fields)  # type: ignore[arg-type]


async def test_the_index_keeps_the_latest_about_each_document(database: Database) -> None:
    index = DocumentIndex(database, "default", "docs")
    whole = a_document(
        "a.md",
        source_uri="file:///a.md",
        content_hash="h1",
        pipeline_hash="p1",
        chunk_count=3,
        state="indexed",
        size_bytes=10,
        modified_time_us=5,
        indexed_time_us=6,
    )
    await index.put([whole, a_document("b.md", state="failed", error="binary")])
    assert await index.get("a.md") == whole
    await index.put([a_document("a.md", content_hash="h2")])
    found = await index.get("a.md")
    assert found is not None
    assert (found.content_hash, found.chunk_count) == ("h2", 0)
    assert found.indexed_time_us > 6
    assert await index.states() == {"indexed": 1, "failed": 1}
    assert await index.get("c.md") is None


async def test_the_index_is_listed_in_order_and_in_pieces(database: Database) -> None:
    index = DocumentIndex(database, "default", "docs")
    await index.put([a_document(f"{n:03}.md") for n in range(25)])
    assert [row.document_id for row in await index.list(limit=2)] == ["000.md", "001.md"]
    assert [row.document_id for row in await index.list(after="022.md")] == ["023.md", "024.md"]
    await index.delete(["000.md", "missing.md"])
    assert len(await index.list()) == 24
    await index.clear()
    assert await index.list() == []


async def test_stores_and_apps_do_not_see_each_other(database: Database) -> None:
    mine, other = DocumentIndex(database, "default", "docs"), DocumentIndex(database, "other", "docs")
    await mine.put([a_document("a.md")])
    assert await other.list() == []
    await other.clear()
    assert len(await mine.list()) == 1
    with pytest.raises(HectorError):
        await other.put([a_document("a.md")])


async def test_an_error_may_say_anything_and_is_kept_as_far_as_it_helps(database: Database) -> None:
    index = DocumentIndex(database, "default", "docs")
    await index.put([a_document("a.md", state="failed", error="a\0b " + "ä" * 100_000)])
    found = await index.get("a.md")
    assert found is not None
    assert found.error == "ab " + "ä" * 3997


async def test_a_document_given_twice_at_once_is_there_once(database: Database) -> None:
    index = DocumentIndex(database, "default", "docs")
    await index.put([a_document("a.md", content_hash="1"), a_document("a.md", content_hash="2")])
    assert [row.content_hash for row in await index.list()] == ["2"]
