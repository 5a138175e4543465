"""Contract: what a plugin keeps is in the server's database, and a database that is away holds up nobody."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hector_mesh import HectorError
from hector_plugin_host.serving import state as states
from hector_plugin_host.serving.refusals import KeyNotUsable, StateAway, StateFull
from hector_plugin_host.serving.state import PluginState, Values
from hector_store import Database, PluginValues
from hector_store.errors import StorageClosed
from hector_store.url import parse


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A database that the whole mesh shares, as one of its processes has opened it."""
    database = Database(parse(f"sqlite://{tmp_path}/hector.db"))
    await database.open()
    yield database
    await database.close()


def shared(database: Database) -> Values:
    @asynccontextmanager
    async def opening() -> AsyncIterator[PluginValues]:
        yield PluginValues(database)

    return opening


def alone(file: Path) -> Values:
    """Open a file as another process would, whatever is open here."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[PluginValues]:
        database = Database(parse(f"sqlite://{file}"))
        await database.open()
        try:
            yield PluginValues(database)
        finally:
            await database.close()

    return opening


async def test_every_host_sees_what_the_plugin_keeps_at_any_and_no_more_than_it_may_in_all(
    tmp_path: Path,
) -> None:
    here, there = (PluginState("up", alone(tmp_path / "hector.db"), 200) for _ in range(2))
    await here.put("shop", "a", b"1")
    assert await there.get("shop", "a") == b"1"
    await there.put("shop", "b", b"2")
    assert await here.keys("shop", "", 0, "") == (["a", "b"], "")
    with pytest.raises(StateFull):
        await here.put("else", "c", b"3" * 100)
    await here.close()
    await there.close()


async def test_what_is_kept_outlasts_the_host(tmp_path: Path) -> None:
    for number in range(2):
        state = PluginState("up", alone(tmp_path / "hector.db"), 1000)
        assert await state.get("shop", "a") == (b"1" if number else None)
        await state.put("shop", "a", b"1", ttl_s=3600)
        await state.close()


async def test_a_page_of_keys_says_how_to_ask_for_the_next() -> None:
    state = PluginState("up", None, 10_000)
    for key in ("a%b", "a%c", "axb"):
        await state.put("", key, b"")
    assert await state.keys("", "a%", 0, "") == (["a%b", "a%c"], "")
    assert await state.keys("", "a", 2, "") == (["a%b", "a%c"], "a%c")
    assert await state.keys("", "a", 2, "a%c") == (["axb"], "")
    await state.close()


async def test_a_key_has_a_size() -> None:
    state = PluginState("up", None, 1000)
    for key in ("", "k" * 257, "ü" * 129):
        with pytest.raises(KeyNotUsable):
            await state.put("", key, b"")
    await state.close()


async def test_what_is_asked_for_nothing_opens_nothing(tmp_path: Path) -> None:
    file = tmp_path / "hector.db"
    await PluginState("up", alone(file), 1000).close()
    assert not await asyncio.to_thread(file.exists)


async def test_a_database_that_cannot_be_opened_is_away_and_tried_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    tried = 0

    @asynccontextmanager
    async def opening() -> AsyncIterator[PluginValues]:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise StorageClosed("secret@host")
        yield PluginValues(database)

    state = PluginState("up", opening, 1000)
    with pytest.raises(StateAway) as refused:
        await state.get("", "a")
    assert refused.value.retry_after_s > 0
    assert "secret@host" not in str(refused.value)
    assert [vars(one)["why"] for one in caplog.records] == ["STORAGE_CLOSED"]
    await state.put("", "a", b"1")
    assert await state.get("", "a") == b"1"
    await state.close()
    assert tried == 2


async def test_a_database_that_does_not_answer_is_given_up_and_still_being_opened(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "ANSWER_S", 0.01)
    there, tried = asyncio.Event(), 0

    @asynccontextmanager
    async def opening() -> AsyncIterator[PluginValues]:
        nonlocal tried
        tried += 1
        await there.wait()
        yield PluginValues(database)

    state = PluginState("up", opening, 1000)
    for _ in range(2):
        with pytest.raises(StateAway):
            await state.get("", "a")
    monkeypatch.undo()
    there.set()
    assert await state.get("", "a") is None
    await state.close()
    assert tried == 1


async def test_a_host_that_stops_does_not_wait_for_a_database_that_does_not_answer() -> None:
    begun, ended = asyncio.Event(), False

    @asynccontextmanager
    async def opening() -> AsyncIterator[PluginValues]:
        nonlocal ended
        begun.set()
        try:
            await asyncio.Event().wait()
            yield PluginValues(None)  # type: ignore[arg-type]  # never gets here
        finally:
            ended = True

    state = PluginState("up", opening, 1000)
    async with asyncio.timeout(10):
        asking = asyncio.ensure_future(state.get("", "a"))
        await begun.wait()
        await state.close()
        await asyncio.wait((asking,))
    assert ended
    assert asking.cancelled()


async def test_a_value_that_is_written_too_late_for_its_caller_is_kept_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = PluginState("up", shared(database), 1000)
    await state.put("", "a", b"1")
    go_on = threading.Event()
    in_the_way = asyncio.ensure_future(database.write(lambda connection: go_on.wait(30)))
    monkeypatch.setattr(states, "ANSWER_S", 0.01)
    with pytest.raises(StateAway):
        await state.put("", "a", b"2")
    monkeypatch.undo()
    go_on.set()
    await in_the_way
    await state.close()
    assert await PluginValues(database).get("up", "", "a") == b"2"


async def test_one_plugin_has_only_so_much_under_way() -> None:
    most = now = 0
    go_on = asyncio.Event()

    class Slow:
        async def get(self, plugin: str, app: str, key: str) -> bytes | None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await go_on.wait()
            now -= 1
            return None

    @asynccontextmanager
    async def opening() -> AsyncIterator[PluginValues]:
        yield Slow()  # type: ignore[misc]

    state = PluginState("up", opening, 1000)
    async with asyncio.timeout(10):
        asking = [asyncio.ensure_future(state.get("", "a")) for _ in range(states.MOST_AT_ONCE + 8)]
        while most < states.MOST_AT_ONCE:  # noqa: ASYNC110  what is not let in has no event
            await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(*asking) == [None] * len(asking)
    await state.close()
    assert most == states.MOST_AT_ONCE


async def test_what_cannot_be_kept_is_the_plugins_to_know() -> None:
    state = PluginState("up", None, 1000)
    with pytest.raises(HectorError, match="app is 65 characters long"):
        await state.put("a" * 65, "a", b"")
    await state.close()
