"""The disk with the database is full in the middle of everything, and has room again."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from chaos.clients import OVER
from chaos.conftest import LEASE_S
from chaos.kills import RUNS
from chaos.replicas import Store
from chaos.scene import asking, first, scene_at
from chaos.story import shown, stories_of
from chaos.world import ASKED

SIZE_MB = 8


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk of its own."""
    made = Path(tempfile.mkdtemp(prefix="hc-disk-"))
    words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "none", str(made)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        made.rmdir()
        pytest.skip("only who may mount a disk can fill it")
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(made)], check=False)
        shutil.rmtree(made, ignore_errors=True)


async def test_a_full_disk_leaves_nothing_half_done(folder: Path, disk: Path) -> None:
    """Ours: what cannot be written is reported or tried again, and what was acknowledged is there."""
    store = Store(f"sqlite://{disk}/runs.db", file=disk / "runs.db")
    async with asyncio.timeout(90), scene_at(folder, store, lease_s=LEASE_S) as scene, scene.told():
        clients = [scene.client("chain", at=number % 2) for number in range(RUNS)]
        gate = scene.world.hold(ASKED, first(clients))
        async with asking(clients):
            await gate.full.wait()
            for client in clients:
                await client.acknowledged.wait()
            filler = disk / "filler"
            fill(filler)
            scene.world.let_go(doomed=False)
            await asyncio.to_thread(scene.replicas.all[0].wait_until_told, "no space left")
            filler.unlink()
        stories = await stories_of(store, [client.task for client in clients])
        for client in clients:
            story, task = stories[client.task], await client.get()
            assert [event.seq for event in story] == list(range(1, len(story) + 1)), shown(story)
            assert client.state == task["status"]["state"]
            assert client.state in OVER
            assert scene.world.effects["charge", client.question] <= 1
        again = scene.client("chain")
        await again.ask()
        scene.clients = [again]
        await scene.check()


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
