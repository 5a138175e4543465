"""What rooms stand on is looked at while they run, and told to who asks."""

import asyncio
import logging
from contextlib import suppress

from grpc import StatusCode

from hector_mesh import Health, HectorError, Room
from hector_runtime.checking import keep_checking
from hector_runtime.metrics_config import MetricsConfig
from hector_runtime.watch_port import WatchPort


class Away(HectorError):
    code, reason = StatusCode.UNAVAILABLE, "AWAY"


class Database:
    """Is well, is not, or is away, as a test says."""

    def __init__(self):
        self.state, self.asked = True, asyncio.Event()

    async def check(self):
        self.asked.set()
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    async def becomes(self, state):
        """Change, and wait until that has been told."""
        self.state = state
        for _ in range(2):  # the first may have been under way
            self.asked.clear()
            await self.asked.wait()
        await asyncio.sleep(0)


class Probe:
    """One request of a prober's, and its answer."""

    verb, headers = "GET", ()

    def __init__(self, path):
        self.path = path

    async def answer(self, status, headers, body):
        self.answered = status, body.decode()


async def asked(port, path):
    probe = Probe(path)
    await port(probe)
    return probe.answered


async def test_a_check_that_fails_makes_the_process_unready_until_it_passes_again(caplog):
    database, health = Database(), Health(["some.Service"])
    await health.set("some.Service", True)
    rooms = {"agent": Room(register=lambda server: None, checks={"database": database.check})}
    port = WatchPort(MetricsConfig(), health)
    checking = asyncio.create_task(keep_checking(rooms, health, every_s=0))
    with caplog.at_level(logging.INFO, logger="hector_runtime"):
        async with asyncio.timeout(10):
            await database.becomes(True)
            assert (await asked(port, "/ready"))[0] == 200
            for trouble in (False, Away("gone"), OSError(5, "i/o error"), ValueError("a bug")):
                await database.becomes(trouble)
                status, body = await asked(port, "/ready")
                assert (status, "the database cannot be used" in body) == (503, True)
                assert health.serving("some.Service")
                await database.becomes(True)
                assert (await asked(port, "/ready"))[0] == 200
    checking.cancel()
    with suppress(asyncio.CancelledError):
        await checking
    told = [record.getMessage() for record in caplog.records]
    assert told == ["check failed", "check passed again"] * 4


async def test_a_process_that_stops_says_so():
    port = WatchPort(MetricsConfig(), Health())
    assert (await asked(port, "/ready"))[0] == 200
    port.stopping = True
    assert await asked(port, "/ready") == (
        503,
        '{"status": "not ready", "reasons": ["the process is stopping"]}',
    )
    assert (await asked(port, "/live"))[0] == 200
    assert (await asked(port, "/nothing"))[0] == 404
