"""Replicas whose clocks are an hour apart: only the database's counts."""

import asyncio
from pathlib import Path

import pytest
from chaos.conftest import LEASE_S, Stores, databases
from chaos.kills import MID_STREAM, kill
from chaos.scene import scene_at, seeded

HOUR_S = 3600.0


@pytest.mark.parametrize("clocks_s", [(0.0, HOUR_S), (HOUR_S, 0.0)], ids=["ahead", "behind"])
@pytest.mark.parametrize("database", databases("postgresql", "mariadb"))
async def test_clocks_an_hour_apart_change_nothing(
    stores: Stores, folder: Path, database: str, clocks_s: tuple[float, float]
) -> None:
    """Ours: leases, due times and events are the database's; SQLite's clock is its machine's, and one."""
    with seeded(database, clocks_s) as chance, stores(database, folder) as store:
        async with asyncio.timeout(90):
            async with scene_at(folder, store, lease_s=LEASE_S, clocks_s=clocks_s) as scene, scene.told():
                for _ in range(2):
                    await kill(scene, MID_STREAM, chance)
                    await scene.check()
                ahead = scene.replicas.all[0 if clocks_s[0] else 1]
                assert "leases_lost" not in ahead.output()
