"""Ours: what a2a-sdk's own server answers, Hector answers too, field by field, or the table says why not."""

import asyncio
from typing import Any

import pytest
from differential.known import stale, unknown
from differential.scenarios import SCENARIOS
from differential.twins import Twins, comparable, differences
from support.doors import DOORS, Door

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("kind", DOORS, ids=lambda kind: kind.__name__)
async def test_both_servers_answer_the_same_or_the_table_says_why_not(twins: Twins, kind: type[Door]) -> None:
    found: dict[str, tuple[Any, Any]] = {}
    for name, scenario in SCENARIOS.items():
        async with asyncio.timeout(60):
            ours, theirs = [comparable(await scenario(door)) for door in twins.doors(kind)]
        assert ours.keys() == theirs.keys()
        found |= {f"{name}: {where}": pair for where, pair in differences(ours, theirs).items()}
    assert {where: found[where] for where in unknown(found, kind.__name__)} == {}
    assert stale(found, kind.__name__) == []
