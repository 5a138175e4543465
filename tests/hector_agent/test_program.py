"""Ours: a program ends with the block that runs it, with all that it started."""

import asyncio

import pytest
from support.processes import is_alive
from support.scripted_agent import until

from hector_agent.custom import program


async def test_a_program_says_what_it_says():
    async with asyncio.timeout(10), program("echo", "hello") as running:
        assert await running.stdout.read() == b"hello\n"
        assert await running.wait() == 0


async def test_what_a_program_leaves_behind_is_killed(tmp_path):
    async with asyncio.timeout(10):
        async with program("sh", "-c", "sleep 300 & echo $!") as running:
            left = int(await running.stdout.readline())
            await until(lambda: _is_gone(running.pid))
        await until(lambda: _is_gone(left))


async def test_a_stranger_who_got_the_number_of_a_program_that_has_ended_is_left_alone():
    async with asyncio.timeout(10), program("sleep", "300") as stranger:
        async with program("true") as running:
            await running.wait()
            running.pid = stranger.pid
        assert is_alive(stranger.pid)
        assert stranger.returncode is None


async def test_a_block_that_fails_ends_its_program():
    running: asyncio.subprocess.Process | None = None
    with pytest.raises(RuntimeError, match="enough"):
        async with asyncio.timeout(10), program("sleep", "300") as running:
            raise RuntimeError("enough")
    assert running is not None
    assert running.returncode == -9


async def test_what_is_no_program_says_so():
    with pytest.raises(FileNotFoundError):
        async with program("no-such-program-anywhere"):
            pass


async def _is_gone(process: int) -> bool:
    return not is_alive(process)
