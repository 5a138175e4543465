"""A2A 1.0 section 4.6, and 1.8 of the table: which extensions are in use, and who says so."""

from typing import Any

import pytest
from a2a_rules.house import EXTENSION, OFFERED, House
from a2a_rules.reading import all_of, known_by, refused_by
from a2a_rules.table import keeps
from support.doors import Door, sending

OTHER = "https://extensions.test/other"


def named(*uris: str) -> dict[str, str]:
    return {"a2a-extensions": ", ".join(uris)}


def in_use(said: Any) -> set[str]:
    """Return what the answer names."""
    found = said.get("a2a-extensions", "") or said.get("x-a2a-extensions", "")
    return {one.strip() for one in found.split(",") if one.strip()}


@keeps("1.8-required")
async def test_who_does_not_name_a_required_extension_is_refused(door: Door, house: House) -> None:
    """a2a-sdk never refuses anybody."""
    needy = house.door(type(door), "needy")
    for said in ({}, named(OTHER), named(EXTENSION + "x"), named(OFFERED)):
        for asking in (
            needy.call("SendMessage", sending("hi"), said),
            needy.call("GetTask", {"id": "gone"}, said),
        ):
            refused = await refused_by(asking)
            assert refused.reason == "EXTENSION_SUPPORT_REQUIRED"
            assert EXTENSION in refused.message


@keeps("1.8-required-named")
@pytest.mark.parametrize("uris", [(EXTENSION,), (OTHER, EXTENSION), (OFFERED, EXTENSION, OTHER)])
async def test_who_names_a_required_extension_is_served(
    door: Door, house: House, uris: tuple[str, ...]
) -> None:
    needy = house.door(type(door), "needy")
    assert (await needy.call("SendMessage", sending("hi"), named(*uris))).found["task"]["id"]


@keeps("1.8-unknown")
async def test_extensions_that_the_agent_does_not_know_are_ignored(door: Door) -> None:
    answer = await door.call("SendMessage", sending("hi"), named(OTHER, "urn:x", "not a uri"))
    assert answer.found["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert in_use(answer.said) == set()


@keeps("1.8-echo")
async def test_the_answer_names_what_is_in_use(door: Door) -> None:
    answer = await door.call("SendMessage", sending("hi"), named(OTHER, OFFERED))
    assert in_use(answer.said) == {OFFERED}
    assert in_use((await door.call("SendMessage", sending("hi"))).said) == set()
    task = answer.found["task"]["id"]
    assert in_use((await door.call("GetTask", {"id": task}, named(OFFERED))).said) == {OFFERED}


@keeps("1.8-streams")
async def test_streams_name_and_enforce_extensions_before_they_begin(door: Door, house: House) -> None:
    async with door.streamed("hi", named(OFFERED, OTHER)) as events:
        assert in_use(events.said) == {OFFERED}
        assert await events.all()
    needy = house.door(type(door), "needy")
    refused = await refused_by(all_of(needy.streamed("hi")))
    assert refused.reason == "EXTENSION_SUPPORT_REQUIRED"


@keeps("1.8-old-header")
async def test_the_old_header_says_the_same(door: Door, house: House) -> None:
    needy = house.door(type(door), "needy")
    answer = await needy.call("SendMessage", sending("tell"), {"x-a2a-extensions": f"{EXTENSION},{OFFERED}"})
    assert in_use(answer.said) == {EXTENSION, OFFERED}
    assert known_by(answer.found["task"])["extensions"] == [EXTENSION, OFFERED]


@keeps("1.8-reaches-agent")
async def test_the_agent_learns_which_extensions_the_client_named(door: Door) -> None:
    answer = await door.call("SendMessage", sending("tell"), named(OFFERED, OTHER))
    assert OFFERED in known_by(answer.found["task"])["extensions"]
    assert known_by(await door.send("tell"))["extensions"] == []


@keeps("1.8-card")
async def test_cards_list_extensions(house: House) -> None:
    card = (await house.place.public_card("needy", a2a_version="1.0")).found
    needed, offered = card["capabilities"]["extensions"]
    assert needed == {"uri": EXTENSION, "description": "Needed here.", "required": True}
    assert offered == {"uri": OFFERED, "description": "Known here.", "params": {"depth": 3}}
