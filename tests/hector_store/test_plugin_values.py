"""What plugins keep is the same at every replica, and never more than it may be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import delete, func, select, update

from hector_mesh import HectorError
from hector_store import Database, PluginValues, opened
from hector_store.artifacts import Artifacts
from hector_store.care.checking import Check
from hector_store.clock import now
from hector_store.history.erasing import Erasure
from hector_store.history.passing import Pass
from hector_store.history.policy import Policy
from hector_store.plugin_values import ENTRY_BYTES
from hector_store.schema import INLINE_BYTES, plugin_usage, plugin_values
from hector_store.url import parse

MUCH = 1 << 30


@pytest.fixture
def values(database: Database) -> PluginValues:
    return PluginValues(database)


@asynccontextmanager
async def another(url: str) -> AsyncIterator[Database]:
    """Open a database as another replica would: with a writer of its own."""
    database = Database(parse(url))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def used(database: Database, plugin: str = "up") -> int:
    """Return what is said to be used, once it is seen to be what is there."""
    said = select(plugin_usage.c.size_bytes).where(plugin_usage.c.plugin == plugin)
    there = select(func.coalesce(func.sum(plugin_values.c.size_bytes), 0))
    counted = there.where(plugin_values.c.plugin == plugin)
    one, other = await database.read(
        lambda connection: (connection.execute(said).scalar(), connection.execute(counted).scalar())
    )
    assert (one or 0) == other
    return int(one or 0)


async def outlast(database: Database, *keys: str) -> None:
    """Let the time of values be over."""
    names = [key.encode() for key in keys]
    await database.write(
        lambda connection: (
            connection.execute(
                update(plugin_values).where(plugin_values.c.name.in_(names)).values(until=now(connection) - 1)
            ).rowcount
        )
    )


async def test_what_is_kept_is_found_until_it_is_removed(values: PluginValues, database: Database) -> None:
    assert await values.get("up", "shop", "a") is None
    assert await values.put("up", "shop", "a", b"\0one\xff", limit_bytes=MUCH)
    assert await values.get("up", "shop", "a") == b"\0one\xff"
    assert await values.put("up", "shop", "a", b"", limit_bytes=MUCH)
    assert await values.get("up", "shop", "a") == b""
    assert await used(database) == ENTRY_BYTES + 1
    for _ in range(2):
        await values.remove("up", "shop", "a")
    assert await values.get("up", "shop", "a") is None
    assert await used(database) == 0


async def test_plugins_and_apps_see_only_their_own(values: PluginValues) -> None:
    for plugin, app in (("up", "shop"), ("up", ""), ("down", "shop")):
        await values.put(plugin, app, "a", f"{plugin} {app}".encode(), limit_bytes=MUCH)
    assert await values.get("up", "shop", "a") == b"up shop"
    assert await values.get("up", "", "a") == b"up "
    assert await values.get("down", "shop", "a") == b"down shop"
    assert await values.get("down", "", "a") is None
    assert await values.keys("down", "", most=9) == []


async def test_a_key_is_any_text_of_256_bytes_and_differs_from_every_other(values: PluginValues) -> None:
    keys = ["a", "A", "a ", "a\0", "ä", "a\u0308", "%", "_", "\U0001f600", "ü" * 128, "z" * 256]
    for key in keys:
        assert await values.put("up", "", key, key.encode(), limit_bytes=MUCH)
    assert [await values.get("up", "", key) for key in keys] == [key.encode() for key in keys]
    assert await values.keys("up", "", most=99) == sorted(keys, key=str.encode)
    for key in ("", "z" * 257, "ü" * 129):
        with pytest.raises(HectorError, match="1 to 256"):
            await values.put("up", "", key, b"", limit_bytes=MUCH)


async def test_keys_are_listed_by_prefix_and_page(values: PluginValues) -> None:
    for key in ("a%b", "a%c", "a%\U0010ffff", "axb", "b"):
        await values.put("up", "", key, b"", limit_bytes=MUCH)
    assert await values.keys("up", "", prefix="a%", most=9) == ["a%b", "a%c", "a%\U0010ffff"]
    assert await values.keys("up", "", prefix="a", after="a%c", most=2) == ["a%\U0010ffff", "axb"]
    assert await values.keys("up", "", after="b", most=9) == []


async def test_a_large_value_is_whole(values: PluginValues, database: Database) -> None:
    """In pieces: MariaDB takes no statement of any length."""
    large = bytes(range(256)) * (2 * INLINE_BYTES // 256) + b"end"
    assert await values.put("up", "", "large", large, limit_bytes=MUCH)
    longest = select(func.max(func.length(plugin_values.c.value)))
    assert await database.read(lambda connection: connection.execute(longest).scalar()) == INLINE_BYTES
    assert await values.get("up", "", "large") == large
    assert await values.keys("up", "", most=9) == ["large"]
    assert await values.put("up", "", "large", b"small", limit_bytes=MUCH)
    assert await values.get("up", "", "large") == b"small"
    assert await used(database) == ENTRY_BYTES + len("large") + len("small")


async def test_no_more_is_kept_than_may_be_and_what_was_there_stays(
    values: PluginValues, database: Database
) -> None:
    room = ENTRY_BYTES + 1
    assert await values.put("up", "shop", "a", b"1" * 100, limit_bytes=room + 100)
    assert not await values.put("up", "shop", "a", b"2" * 101, limit_bytes=room + 100)
    assert not await values.put("up", "other", "b", b"", limit_bytes=room + 100)
    assert await values.get("up", "shop", "a") == b"1" * 100
    assert await values.put("down", "shop", "a", b"3" * 100, limit_bytes=room + 100)
    assert await values.put("up", "shop", "a", b"4", limit_bytes=room + 100)
    assert await used(database) == room + 1


async def test_what_is_kept_for_a_while_is_forgotten_and_makes_room(
    values: PluginValues, database: Database
) -> None:
    for key in ("a", "b", "c"):
        assert await values.put("up", "", key, b"x" * 900, ttl_s=60, limit_bytes=3000)
    assert await values.get("up", "", "a") == b"x" * 900
    assert not await values.put("up", "", "d", b"x" * 900, limit_bytes=3000)
    await outlast(database, "a", "b")
    assert await values.get("up", "", "a") is None
    assert await values.keys("up", "", most=9) == ["c"]
    assert await values.put("up", "", "a", b"y", limit_bytes=3000)
    assert await values.put("up", "", "d", b"x" * 900, limit_bytes=3000)
    assert await values.keys("up", "", most=9) == ["a", "c", "d"]
    assert await values.get("up", "", "a") == b"y"
    await used(database)


async def test_a_look_at_old_history_takes_what_is_over_along(
    values: PluginValues, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_store.plugin_values.EXPIRED_AT_ONCE", 2)
    large = b"x" * (2 * INLINE_BYTES)
    for plugin in ("up", "down"):
        for number in range(3):
            await values.put(plugin, "", f"{number}", large, ttl_s=60, limit_bytes=MUCH)
            await outlast(database, f"{number}")
        await values.put(plugin, "", "young", b"y", ttl_s=60, limit_bytes=MUCH)
        await values.put(plugin, "", "for ever", b"z", limit_bytes=MUCH)

    async def passed(*, dry: bool) -> dict[str, int]:
        done = await Pass(database, Policy(), lambda rows: [], dry=dry, gently=False).run()
        return dict(done.counts)

    assert await passed(dry=True) == {"plugin_values": 6}
    assert await passed(dry=False) == {"plugin_values": 6}
    assert await passed(dry=False) == {}
    for plugin in ("up", "down"):
        assert await values.keys(plugin, "", most=9) == ["for ever", "young"]
        assert await used(database, plugin) == 2 * ENTRY_BYTES + len("young") + len("for ever") + 2


async def test_what_was_deleted_by_hand_counts_no_more_once_the_database_is_repaired(
    values: PluginValues, database: Database
) -> None:
    for key in ("a", "b"):
        await values.put("up", "", key, b"x" * 100, limit_bytes=MUCH)
    await values.put("down", "", "a", b"y", limit_bytes=MUCH)
    check = Check(database, Artifacts(database), lambda row, events: ("", b""))
    assert await check.findings() == []
    by_hand = delete(plugin_values).where(plugin_values.c.name == b"a")
    await database.write(lambda connection: connection.execute(by_hand).rowcount)
    found = await check.findings()
    assert [(one.kind, one.subject, one.repairable) for one in found] == [
        ("usage", "plugin down", True),
        ("usage", "plugin up", True),
    ]
    await check.repair(found)
    assert await check.findings() == []
    assert [await used(database, plugin) for plugin in ("up", "down")] == [ENTRY_BYTES + 101, 0]


async def test_erasing_a_user_leaves_what_plugins_keep(values: PluginValues, database: Database) -> None:
    """It is the app's: no key of it says whose it is."""
    await values.put("up", "app", "zoe", b"1", limit_bytes=MUCH)
    await Erasure(database).erase("zoe")
    assert await values.get("up", "app", "zoe") == b"1"


async def test_replicas_see_the_same_and_a_restart_keeps_it(lasting_url: str) -> None:
    async with opened(lasting_url) as here, another(lasting_url) as there:
        await PluginValues(here).put("up", "shop", "a", b"1", limit_bytes=MUCH)
        assert await PluginValues(there).get("up", "shop", "a") == b"1"
        await PluginValues(there).put("up", "shop", "a", b"2", limit_bytes=MUCH)
        assert await PluginValues(here).get("up", "shop", "a") == b"2"
    async with opened(lasting_url) as again:
        assert await PluginValues(again).keys("up", "shop", most=9) == ["a"]
        assert await PluginValues(again).get("up", "shop", "a") == b"2"


async def test_replicas_that_write_at_once_never_keep_more_than_they_may(lasting_url: str) -> None:
    """One that has kept something before, and one that nobody has heard of."""
    room, size = 20, ENTRY_BYTES + 4 + 100
    async with another(lasting_url) as one, another(lasting_url) as other, asyncio.timeout(60):
        await PluginValues(one).put("up", "one", "k000", b"x" * 100, limit_bytes=room * size)
        puts = [
            PluginValues(replica).put(plugin, name, f"k{number:03}", b"x" * 100, limit_bytes=room * size)
            for number in range(20)
            for plugin in ("up", "down")
            for replica, name in ((one, "one"), (other, "other"))
        ]
        kept = await asyncio.gather(*puts)
        assert sum(kept) == 2 * room
        for plugin in ("up", "down"):
            assert await used(one, plugin) == room * size
