"""Extensions of A2A: declared in cards, asked for by clients, echoed by servers, passed on to agents."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.doors import Door, Place, Refused, place_at
from support.open_doors import opened

GEO, TIME = "https://example.com/ext/geo/v1", "https://example.com/ext/time/v2"
STRANGE = "https://example.com/ext/strange"
DECLARED = [
    {"uri": GEO, "description": "Says where.", "params": {"units": ["km", "mi"], "deep": {"n": 1.5}}},
    {"uri": TIME},
]
NEEDED = [{"uri": GEO, "required": True}, {"uri": TIME, "required": True}, {"uri": STRANGE}]
CODES = {"JSONRPC": -32008, "HTTP+JSON": 400, "GRPC": "FAILED_PRECONDITION"}
OLD_CODES = {**CODES, "JSONRPC": -32603}
OPERATIONS: list[tuple[str, Any]] = [
    ("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}),
    ("SendStreamingMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}),
    ("GetTask", {"id": "nothing"}),
    ("CancelTask", {"id": "nothing"}),
    ("SubscribeToTask", {"id": "nothing"}),
]


@pytest.fixture
async def place(mesh_under_test: Any, tmp_path: Any) -> AsyncIterator[Place]:
    """The assistant has the server's extensions, `strict` its own, and `plain` none."""
    async with opened(
        mesh_under_test,
        tmp_path,
        server={"a2a": {"extensions": DECLARED, "extended_card": True}, "auth": {"secret": "key"}},
        others={"strict": {"a2a": {"extensions": NEEDED}}, "plain": {"a2a": {"extensions": []}}},
    ) as place:
        yield place


def doors_of(place: Place, agent: str = "assistant") -> list[Door]:
    return place.doors(agent, "key")


def echo(said: Any, door: Door) -> list[str]:
    """Return what an answer says is in use; 0.3 has another name for it, which is there too."""
    found = said.get("a2a-extensions", "")
    assert said.get("x-a2a-extensions", "") == (found if door.version == "0.3" else "")
    return [uri for uri in found.split(", ") if uri]


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_the_card_declares_extensions_with_their_parameters(place: Place, version: str) -> None:
    """A2A 1.0, section 4.4.4."""
    card = (await place.public_card(A2A_Version=version)).found
    geo, time = card["capabilities"]["extensions"]
    assert {name: geo[name] for name in ("uri", "description", "params")} == DECLARED[0]
    assert (time["uri"], time.get("required", False)) == (TIME, False)
    strict = (await place.public_card("strict", A2A_Version=version)).found["capabilities"]["extensions"]
    assert [one.get("required", False) for one in strict] == [True, True, False]
    assert not (await place.public_card("plain", A2A_Version=version)).found["capabilities"].get("extensions")
    for door in doors_of(place, "strict"):
        found = (await door.card())["capabilities"]["extensions"]
        assert [one["uri"] for one in found] == [GEO, TIME, STRANGE], door


@pytest.mark.parametrize(("rpc", "params"), OPERATIONS, ids=[rpc for rpc, _ in OPERATIONS])
async def test_who_does_not_name_a_required_extension_is_refused(place: Place, rpc: str, params: Any) -> None:
    """A2A 1.0, section 3.2.6; before the request is looked at, and to 0.3 it is an error without a name."""
    for door in doors_of(place, "strict"):
        for said in ({}, {"a2a-extensions": STRANGE}, {"a2a-extensions": TIME}):
            with pytest.raises(Refused) as found:
                await door.ask(rpc, params, said)
            refused = found.value
            assert (refused.reason, refused.domain) == ("EXTENSION_SUPPORT_REQUIRED", "a2a-protocol.org")
            assert refused.code == (CODES if door.version == "1.0" else OLD_CODES)[door.binding], door
            assert GEO in refused.message
            assert (TIME in refused.message) == (TIME not in said.values())


async def test_who_names_all_required_extensions_is_answered_and_told_which_are_in_use(
    place: Place,
) -> None:
    for door in doors_of(place, "strict"):
        for rpc, params in OPERATIONS[:2]:
            said = await door.ask(rpc, params, {"a2a-extensions": f"{TIME},{GEO} , https://unknown.example"})
            assert echo(said, door) == [TIME, GEO], (door, rpc)


async def test_only_what_is_asked_for_and_declared_is_in_use(place: Place) -> None:
    """A2A 1.0, section 4.6.2; topics/extensions: what is not supported is ignored."""
    for door in doors_of(place):
        for rpc, params in OPERATIONS[:2]:
            assert echo(await door.ask(rpc, params), door) == []
            assert echo(await door.ask(rpc, params, {"a2a-extensions": STRANGE}), door) == []
            wanted = {"a2a-extensions": f"{STRANGE}, {TIME}, {TIME}"}
            assert echo(await door.ask(rpc, params, wanted), door) == [TIME], (door, rpc)


async def test_clients_of_03_may_use_their_old_name_for_it(place: Place) -> None:
    """A2A 0.3, section 5: X-A2A-Extensions."""
    for door in doors_of(place, "strict"):
        said = await door.ask(*OPERATIONS[0], {"x-a2a-extensions": f"{GEO},{TIME}"})
        assert echo(said, door) == [GEO, TIME]


async def test_the_card_can_be_read_by_who_does_not_know_the_extensions_yet(place: Place) -> None:
    for door in doors_of(place, "strict"):
        assert (await door.card())["name"] == "strict"


async def test_a_header_may_come_in_several_lines(place: Place) -> None:
    """RFC 9110, section 5.3."""
    body = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}
    headers = [
        ("A2A-Version", "1.0"),
        ("A2A-Extensions", GEO),
        ("A2A-Extensions", TIME),
        ("Authorization", "Bearer key"),
    ]
    url = f"{place.url}/agents/strict/message:send"
    async with place.http.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["A2A-Extensions"] == f"{GEO}, {TIME}"


async def test_the_agent_hears_what_the_client_asked_for(gateway: Any) -> None:
    """Ours: agents read service parameters in the call's metadata, whichever door they came through."""
    wanted = {"a2a-extensions": f"{GEO},{STRANGE}"}
    async with place_at(gateway.url, gateway.grpc_address) as place:
        for door in place.doors("helper"):
            await door.ask(*OPERATIONS[0], wanted)
    assert [one.extensions for one in gateway.fake.heard] == [(GEO, STRANGE)] * 6
