"""Ours: a config says which runs get on first."""

import asyncio

import pytest
from support.owned_world import world
from support.run_owners import replica, settled

from hector_store import Claim, Claimed, Workers
from hector_store.queue_config import QueueConfig

pytestmark = pytest.mark.usefixtures("short_stops")


async def test_claims_share_as_the_config_says(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = asyncio.Queue[Claim]()
    claim_runs = Workers.claim

    async def claim(workers: Workers, worker: str, claim: Claim) -> list[Claimed]:
        claims.put_nowait(claim)
        return await claim_runs(workers, worker, claim)

    monkeypatch.setattr(Workers, "claim", claim)
    queue = QueueConfig(weights={"default": 2}, per_app={"default": 5}, per_agent={"assistant": 1})
    async with asyncio.timeout(30), world(database_url) as of, replica(of.database, {}, queue=queue) as one:
        found = await claims.get()
        assert (found.weights, found.per_app, found.per_agent) == (
            {"default": 2.0}, {"default": 5}, {"assistant": 1}
        )  # fmt: skip
        one.runs.queue = QueueConfig()  # as when the config is read again
        while (await claims.get()).weights:
            pass


async def test_a_run_has_its_agents_priority(database_url: str) -> None:
    async with world(database_url, priority=7) as of, of.replica() as one:
        run = await one.ask("go")
        row = await settled(of.log, run.place.run)
        assert row.priority == 7
