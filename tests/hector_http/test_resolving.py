"""Ours: names of strangers are looked up in threads of their own, so many at once."""

import asyncio
import threading

import pytest

from hector_http.resolving import MOST, Lookups


async def test_lookups_that_found_no_thread_take_no_place(monkeypatch):
    lookups = Lookups()

    def full(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", full)
        for _ in range(MOST + 1):
            with pytest.raises(OSError, match="thread"):
                await lookups.resolve("127.0.0.1", 80)
    async with asyncio.timeout(5):
        assert [one["host"] for one in await lookups.resolve("127.0.0.1", 80)] == ["127.0.0.1"]


async def test_a_caller_that_leaves_gives_its_place_back_when_its_lookup_ends():
    lookups = Lookups()
    async with asyncio.timeout(5):
        for _ in range(MOST + 1):
            leaving = asyncio.create_task(lookups.resolve("127.0.0.1", 80))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
        assert await lookups.resolve("127.0.0.1", 80)
