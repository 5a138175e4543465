"""A flag does what asyncio's event does."""

import asyncio

import pytest

from hector_mesh.flag import Flag


async def test_who_waits_goes_on_when_it_happens_and_who_comes_later_does_not_wait():
    flag = Flag()
    waiting = [asyncio.create_task(flag.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not flag.is_set()
    flag.set()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await flag.wait()
    flag.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await flag.wait()


async def test_who_gives_up_is_forgotten_and_the_others_are_not():
    flag = Flag()
    one, other = (asyncio.create_task(flag.wait()) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.wait([one])
    assert len(flag._waiters) == 1
    flag.set()
    async with asyncio.timeout(5):
        assert await other


async def test_who_waits_so_long_and_no_longer_is_told_what_became_of_it():
    flag = Flag()
    async with asyncio.timeout(5):
        assert not await flag.happens_within(0.001)
        assert flag._waiters == ()
        waiting = asyncio.create_task(flag.happens_within(60))
        await asyncio.sleep(0)
        flag.set()
        assert await waiting
        assert await flag.happens_within(0)
