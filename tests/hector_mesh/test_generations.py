"""What serves calls while the config changes: new runs by the newest, older ones as they began."""

import asyncio
from collections import deque

from hector_mesh import Generations, Renewal


def renewal(revision: str, before: str, lasting_s: float = 3600) -> Renewal:
    return Renewal(config=None, revision=revision, before=before, lasting_s=lasting_s)


async def test_a_run_keeps_what_it_began_with_and_new_ones_get_the_newest():
    kept = Generations("first")
    kept.replace("second", renewal("r2", "r1"))
    kept.replace("third", renewal("r3", "r2"))
    assert [kept.of(revision) for revision in ("r1", "r2", "r3")] == ["first", "second", "third"]
    assert kept.of("never heard of") == kept.of("") == "third"
    assert kept.all() == ["third", "first", "second"]


async def test_going_back_to_an_older_revision_serves_it_by_what_is_newest():
    kept = Generations("first")
    kept.replace("second", renewal("r2", "r1"))
    kept.replace("first again", renewal("r1", "r2"))
    assert kept.of("r1") == "first again"
    assert kept.of("r2") == "second"


async def test_the_same_revision_again_leaves_nothing_older_behind():
    kept = Generations("first")
    kept.replace("read again", renewal("r1", "r1"))
    assert kept.of("r1") == "read again"
    assert kept.all() == ["read again"]


async def test_what_no_run_can_go_by_any_more_is_forgotten_and_told():
    forgotten = asyncio.Event()
    kept = Generations("first", forgotten.set)
    kept.replace("second", renewal("r2", "r1", lasting_s=0))
    async with asyncio.timeout(5):
        await forgotten.wait()
    assert kept.of("r1") == "second"
    assert kept.all() == ["second"]


async def test_a_revision_that_came_back_meanwhile_is_not_forgotten_with_its_former_self():
    told: deque[None] = deque()
    kept = Generations("first", lambda: told.append(None))
    kept.replace("second", renewal("r2", "r1", lasting_s=0))
    kept.replace("first again", renewal("r1", "r2"))
    kept.replace("third", renewal("r3", "r1"))
    await asyncio.sleep(0.01)  # the first timer is long over
    assert kept.of("r1") == "first again"
    assert not told
