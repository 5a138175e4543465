"""What agents read and write: parts of other media types, and clients that accept none of theirs."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.doors import Place, Refused
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector_gateway.media_types import Modes

CODES = {"JSONRPC": -32005, "HTTP+JSON": 400, "GRPC": "INVALID_ARGUMENT"}
RAW = b64encode(b"\x89PNG").decode()
TEXT, DATA = {"text": "hi"}, {"data": {"n": 1}}
PICTURE = {"raw": RAW, "mediaType": "image/png", "filename": "a.png"}
MODES = {
    "assistant": {},
    "picky": {"input_modes": ["text/plain"]},
    "sees": {"input_modes": ["text/plain", "image/*"], "output_modes": ["text/plain", "image/png"]},
    "omnivore": {"input_modes": ["*/*"], "output_modes": ["*/*"]},
}

# Agent, a part, and the media type that is refused; "" where the part passes.
PARTS: list[tuple[str, Any, str]] = [
    ("assistant", TEXT, ""),
    ("assistant", DATA, ""),
    ("assistant", {"raw": RAW, "mediaType": "text/csv"}, ""),
    ("assistant", PICTURE, "image/png"),
    ("assistant", {"raw": RAW}, "application/octet-stream"),
    ("assistant", {"url": "https://example.com/a"}, ""),
    ("assistant", {"url": "https://example.com/a.png", "mediaType": "image/png"}, "image/png"),
    ("picky", TEXT, ""),
    ("picky", DATA, "application/json"),
    ("picky", {"raw": RAW, "mediaType": "text/csv"}, "text/csv"),
    ("picky", {"raw": RAW, "mediaType": "Text/Plain; charset=utf-8"}, ""),
    ("sees", PICTURE, ""),
    ("sees", {"url": "https://example.com/a", "mediaType": "image/webp"}, ""),
    ("sees", {"raw": RAW, "mediaType": "imagery/png"}, "imagery/png"),
    ("omnivore", {"raw": RAW}, ""),
    ("omnivore", PICTURE, ""),
]
NEW_PARTS: list[tuple[str, Any, str]] = [
    ("assistant", {"text": "# hi", "mediaType": "text/markdown"}, ""),
    ("picky", {"text": "# hi", "mediaType": "text/markdown"}, "text/markdown"),
    ("sees", {"data": [1], "mediaType": "application/vnd.ours+json"}, "application/vnd.ours+json"),
]
"""What only 1.0 can say: in 0.3, text and data have no media type."""

# Agent, what a client accepts, and whether it can be had.
ACCEPTED: list[tuple[str, list[str], bool]] = [
    ("assistant", ["text/plain"], True),
    ("assistant", ["text"], True),
    ("assistant", ["image/png", "text/*"], True),
    ("assistant", ["*/*"], True),
    ("assistant", ["image/png", "application/json"], False),
    ("sees", ["image/*"], True),
    ("sees", ["image/webp"], False),
    ("omnivore", ["video/mp4"], True),
]


@pytest.fixture
async def place(mesh_under_test: Any, tmp_path: Any) -> AsyncIterator[Place]:
    others = {name: keys for name, keys in MODES.items() if name != "assistant"}
    model = ScriptedModel(*["fine"] * 200)
    async with opened(mesh_under_test, tmp_path, model, others=others) as place:
        yield place


async def test_a_part_that_the_agent_does_not_read_is_refused_by_name(place: Place) -> None:
    """A2A 1.0, section 3.3.2: ContentTypeNotSupportedError. Ours: what a part is that does not say."""
    for door in place.doors():
        for agent, part, found in PARTS + (NEW_PARTS if door.version == "1.0" else []):
            at = door.at(agent)
            if not found:
                assert (await at.send(parts=[TEXT, part]))["status"]["state"] == "TASK_STATE_COMPLETED"
                continue
            with pytest.raises(Refused) as error:
                await at.send(parts=[TEXT, part])
            refused = error.value
            assert (refused.reason, refused.code) == ("CONTENT_TYPE_NOT_SUPPORTED", CODES[door.binding])
            assert refused.facts == {"found": found, "field": "message.parts[1]"}, (door, part)
            assert f"message.parts[1]: media type {found!r} is not supported (allowed: " in refused.message
            assert "text/plain" in refused.message


async def test_who_accepts_nothing_that_the_agent_writes_is_refused(place: Place) -> None:
    """Ours: an answer that the client cannot read is no answer; what can be had passes on to the agent."""
    for door in place.doors():
        for agent, accepted, there in ACCEPTED:
            asked = {"acceptedOutputModes": accepted, "returnImmediately": False}
            if there:
                assert (await door.at(agent).send(configuration=asked))["status"]["state"].endswith(
                    "COMPLETED"
                )
                continue
            with pytest.raises(Refused) as error:
                await door.at(agent).send(configuration=asked)
            assert error.value.reason == "CONTENT_TYPE_NOT_SUPPORTED"
            assert error.value.facts["field"] == "configuration.acceptedOutputModes"
            assert "text/plain" in error.value.message


async def test_streams_are_held_to_the_same(place: Place) -> None:
    for door in place.doors():
        with pytest.raises(Refused, match=r"message\.parts\[0\]: media type 'image/png'"):
            async with door.streamed(parts=[PICTURE]):
                pass


async def test_nothing_is_kept_of_a_message_that_is_refused(place: Place) -> None:
    door = place.doors()[0]
    with pytest.raises(Refused):
        await door.send(parts=[PICTURE])
    assert "tasks" not in await door.list()


async def test_cards_show_the_modes(place: Place) -> None:
    """Ours: what is refused and what the card says are the same list."""
    expected = {
        "assistant": (["text/plain", "text/*", "application/json"], ["text/plain"]),
        "picky": (["text/plain"], ["text/plain"]),
        "sees": (["text/plain", "image/*"], ["text/plain", "image/png"]),
        "omnivore": (["*/*"], ["*/*"]),
    }
    for agent, (reads, writes) in expected.items():
        for version in ("1.0", "0.3"):
            card = (await place.public_card(agent, A2A_Version=version)).found
            assert (card["defaultInputModes"], card["defaultOutputModes"]) == (reads, writes)


async def test_what_one_skill_reads_or_writes_the_agent_does(mesh_under_test: Any, tmp_path: Any) -> None:
    """A2A 1.0, section 4.4.5: a skill's modes override the card's; requests do not say which is meant."""
    skills = [{"id": "look", "input_modes": ["image/*"], "output_modes": ["image/png"]}, {"id": "talk"}]
    async with opened(mesh_under_test, tmp_path, skills=skills, input_modes=["text/plain"]) as place:
        card = (await place.public_card()).found
        assert (card["defaultInputModes"], card["defaultOutputModes"]) == (["text/plain"], ["text/plain"])
        look, talk = card["skills"]
        assert (look["inputModes"], look["outputModes"]) == (["image/*"], ["image/png"])
        assert not {"inputModes", "outputModes"} & talk.keys()
        for door in place.doors():
            asked = {"acceptedOutputModes": ["image/png"], "returnImmediately": False}
            found = await door.send(parts=[TEXT, PICTURE], configuration=asked)
            assert found["status"]["state"] in ("TASK_STATE_COMPLETED", "TASK_STATE_FAILED")
            with pytest.raises(Refused, match=r"allowed: text/plain, image/\*"):
                await door.send(parts=[DATA])


async def test_the_servers_word_is_for_agents_that_do_not_say(mesh_under_test: Any, tmp_path: Any) -> None:
    server = {"a2a": {"input_modes": ["image/*"], "output_modes": ["image/png"]}}
    others = {"reader": {"input_modes": ["text/plain"]}}
    async with opened(mesh_under_test, tmp_path, server=server, others=others) as place:
        card = (await place.public_card()).found
        assert (card["defaultInputModes"], card["defaultOutputModes"]) == (["image/*"], ["image/png"])
        card = (await place.public_card("reader")).found
        assert (card["defaultInputModes"], card["defaultOutputModes"]) == (["text/plain"], ["image/png"])
        for door in place.doors():
            with pytest.raises(Refused, match="text/plain"):
                await door.send()
            assert (await door.at("reader").send())["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize(
    ("modes", "found", "has"),
    [
        (["text/*"], "text/plain", True),
        (["text/*"], "texts/plain", False),
        (["text/plain"], "text/plain;charset=utf-8", True),
        (["text"], "text/plain", True),
        (["text/plain"], "text", True),
        (["*/*"], "nonsense", True),
        (["application/json"], "application/*", False),
        ([], "anything/here", True),
    ],
)
def test_a_mode_has_what_its_wildcard_says(modes: list[str], found: str, has: bool) -> None:
    assert Modes(modes).has(found) is has
