"""A user is erased everywhere, and a receipt says so without telling anything of him."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import select

from hector_mesh import HectorError
from hector_store import Effect, NewEvent, NewPush, NewRun, RunLog, opened
from hector_store.artifacts import Artifacts
from hector_store.errors import RunNotFound
from hector_store.history import erasing
from hector_store.history.erasing import Erasure
from hector_store.history.pins import Pins
from hector_store.kept import NewArtifact
from hector_store.schema import metadata, receipts, run_events

SECRET = b"what was said: 4711-0815"


async def live(database, *, app="app", owner="zoe", state="RUN_STATE_COMPLETED", events=2):
    """Leave traces of a user in every table that may have some."""
    log = RunLog(database)
    push = NewPush(id="p", url="https://example.com/4711-0815", secret=b"s", dialect="1.0", traceparent="")
    new = NewRun(
        app=app,
        owner=owner,
        agent="writer",
        context_id="c",
        idempotency_key=f"key of {owner}",
        pushes=(push,),
    )
    created = await log.create(new, [NewEvent("message_received", SECRET)] * events)
    await log.append(
        created.run_id,
        1,
        [NewEvent("large", SECRET * 100_000)],
        effects=[Effect(effect_id="e", call_id="4711-0815")],
    )
    await log.signal(app, created.run_id, "wake", SECRET)
    await Pins(database).pin_run(app, owner, created.run_id)
    made = NewArtifact(owner, "c", "file", SECRET, len(SECRET), "hash")
    await Artifacts(database).save(app, made)
    return created.run_id


async def rows_of(database, *users):
    """Return which tables hold anything of these users."""

    def read(connection):
        found = set()
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                if any(user in str(value) for value in row for user in users):
                    found.add(table.name)
        return found

    return await database.read(read)


async def test_nothing_of_a_user_is_left_and_everything_of_others(database):
    await live(database)
    await live(database, app="other")
    bobs = await live(database, owner="bob")
    receipt = await Erasure(database).erase("zoe")
    assert await rows_of(database, "zoe") == set()
    assert await RunLog(database).get("app", "bob", bobs)
    assert len(await Pins(database).of("app", "bob")) == 1
    assert (receipt.counts["runs"], receipt.counts["effects"], receipt.counts["run_signals"]) == (2, 2, 2)
    assert (receipt.counts["push_configs"], receipt.counts["artifacts"], receipt.counts["pins"]) == (2, 2, 2)
    assert receipt.counts["run_events"] == 6
    assert receipt.counts["blobs"] >= 4


async def test_only_one_app_is_touched_when_one_is_named(database):
    await live(database)
    others = await live(database, app="other")
    assert (await Erasure(database).erase("zoe", "app")).counts["runs"] == 1
    assert await RunLog(database).get("other", "zoe", others)


async def test_a_receipt_tells_who_it_is_about_to_those_who_know_and_cannot_be_changed(database):
    await live(database)
    receipt = await Erasure(database).erase("zoe", "app")
    assert [receipt] == await Erasure(database).receipts()
    assert receipt.is_about("zoe")
    assert not receipt.is_about("bob")
    assert receipt.is_whole
    assert not replace(receipt, counts={**receipt.counts, "runs": 0}).is_whole
    assert not replace(receipt, done_time_us=receipt.done_time_us + 1).is_whole
    assert receipt.begun_time_us <= receipt.done_time_us
    stored = await database.read(lambda db: str(db.execute(select(receipts)).all()))
    assert "zoe" not in stored


async def test_a_run_at_work_goes_and_its_owner_can_write_nothing_more(database):
    run = await live(database, state="RUN_STATE_WORKING")
    await Erasure(database).erase("zoe")
    with pytest.raises(RunNotFound):
        await RunLog(database).append(run, 1, [NewEvent("text_appended", SECRET)])
    assert await rows_of(database, "4711-0815") == set()


async def test_a_long_life_is_erased_in_short_steps(database, monkeypatch):
    monkeypatch.setattr(erasing, "EVENTS_AT_ONCE", 3)
    monkeypatch.setattr(erasing, "RUNS_AT_ONCE", 2)
    log = RunLog(database)
    for _ in range(5):
        new = NewRun(app="app", owner="zoe", agent="writer", state="RUN_STATE_COMPLETED")
        await log.create(new, [NewEvent("message_received", SECRET)] * 7)
    receipt = await Erasure(database).erase("zoe")
    assert (receipt.counts["runs"], receipt.counts["run_events"]) == (5, 35)
    assert await rows_of(database, "zoe", "4711-0815") == set()


async def test_whoever_is_not_there_gets_a_receipt_too(database):
    receipt = await Erasure(database).erase("nobody ever")
    assert receipt.counts == {}
    assert receipt.is_whole


async def test_nobody_in_particular_is_not_erased(database):
    with pytest.raises(HectorError, match="user is empty"):
        await Erasure(database).erase("")


async def test_what_was_erased_cannot_be_found_in_the_file_either(tmp_path):
    """SQLite only forgets where deleted rows are, unless it is told otherwise."""
    file = tmp_path / "hector.db"
    async with opened(f"sqlite://{file}") as database:
        await live(database)
        with closing(sqlite3.connect(file)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"4711-0815" in file.read_bytes()
        await Erasure(database).erase("zoe")
        assert await database.read(lambda db: db.execute(select(run_events)).all()) == []
        left = [path for path in tmp_path.iterdir() if b"4711-0815" in path.read_bytes()]
        assert left == []
