"""kill -9 at any moment: what was acknowledged is there, and the next one can go on."""

import asyncio
import signal
import sys

import pytest

from hector_store import NewEvent, RunLog, opened

WRITER = """
import asyncio, os, sys
from hector_store import NewEvent, NewRun, RunChanges, RunLog, opened

async def write(log, n):
    created = await log.create(NewRun(app="a", owner="", agent="a", context_id=f"c{n}"))
    while True:
        big = b"x" * (2_000_000 if n == 0 else 500)
        events = [NewEvent("e", big), NewEvent("e", b"2")]
        appended = await log.append(created.run_id, 1, events, RunChanges(view=big))
        os.write(1, f"{created.run_id} {appended.last_seq}\\n".encode())

async def main():
    async with opened(sys.argv[1]) as database:
        log = RunLog(database)
        await asyncio.gather(*(write(log, n) for n in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 200])
async def test_what_was_acknowledged_survives_kill_9(lasting_url: str, acknowledged: int) -> None:
    """features.md, session.store: every acknowledged event survives kill -9."""
    url = lasting_url
    last: dict[str, int] = {}
    async with asyncio.timeout(100):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, url, stdout=-1)
        assert process.stdout is not None
        for _ in range(acknowledged):
            words = (await process.stdout.readline()).split()
            last[words[0].decode()] = int(words[1])
        process.send_signal(signal.SIGKILL)
        for line in (await process.stdout.read()).splitlines():  # acknowledged before the signal came
            if len(words := line.split()) == 2:
                last[words[0].decode()] = int(words[1])
        assert await process.wait() == -signal.SIGKILL
        async with opened(url) as database:
            if url.startswith("sqlite"):
                sound = await database.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar())
                assert sound == "ok"
            log = RunLog(database)
            runs = {run.id: run for run in await log.unfinished()}
            for run_id, seq in last.items():
                events = await log.events("a", run_id)
                assert len(events) >= seq
                assert [event.seq for event in events] == list(range(1, len(events) + 1))
                assert runs[run_id].next_seq == len(events) + 1
                assert len(events) % 2 == 0  # an append is there whole or not at all
                assert {len(event.payload) for event in events} <= {1, 500, 2_000_000}
                epoch = await log.take_over(run_id, "next")
                assert (await log.append(run_id, epoch, [NewEvent("more")])).last_seq == len(events) + 1
