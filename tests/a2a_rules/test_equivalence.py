"""A2A 1.0 section 5.1, and 1.15 of the table: whichever door a message comes through, it means the same."""

import random
from typing import Any

import pytest
from a2a_rules.house import House
from a2a_rules.reading import known_by
from a2a_rules.table import keeps
from support.doors import Door, RpcV1, sending

WORDS = [
    "",
    " ",
    "a",
    "null",
    "0",
    "true",
    "Grüße",
    "日本 \U0001f600",
    'quo"te\\',
    "line\nbreak\t",
    "aGk=",
    "x" * 300,
]
NUMBERS = [0, -1, 7, 2**31, 2**53, -(2**53), 1e22, 0.1, -2.5, 1e-9, 1.0, 123456789012345678]


def any_json(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(7 if depth < 3 else 5)
    if kind == 5:
        return [any_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 6:
        return an_object(rng, depth + 1)
    return [rng.choice(WORDS), rng.choice(NUMBERS), rng.random() < 0.5, None, rng.choice(NUMBERS)][kind]


def an_object(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    return {rng.choice(WORDS): any_json(rng, depth) for _ in range(rng.randrange(4))}


def a_part(rng: random.Random) -> dict[str, Any]:
    """Return a part that both versions can say."""
    made: dict[str, Any] = rng.choice(
        [
            {"text": rng.choice(WORDS)},
            {"raw": rng.choice(["", "aGk=", "AAEC/w==", "YUdrPQ=="])},
            {"url": rng.choice(["https://files.test/a b?c=ü", "urn:x", "data:,x"])},
            {"data": an_object(rng)},
        ]
    )
    if "raw" in made or "url" in made:
        for name in ("mediaType", "filename"):
            if rng.random() < 0.5:
                made[name] = rng.choice(["image/png", "text/html; charset=utf-8", "ü"])
    if rng.random() < 0.4:
        made["metadata"] = {"k": an_object(rng)}
    return made


def a_message(rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {
        "messageId": rng.choice(["m", "ü/ :", "0"]),
        "role": "ROLE_USER",
        "parts": [{"text": "tell"}, *(a_part(rng) for _ in range(rng.randrange(5)))],
    }
    if rng.random() < 0.5:
        made["metadata"] = {"k": any_json(rng)}
    if rng.random() < 0.5:
        made["extensions"] = ["https://x.test/" + rng.choice(["a", "b"])]
    return made


@keeps("1.15-means-the-same")
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_a_message_holds_means_the_same(door: Door, house: House, seed: int) -> None:
    rng = random.Random(seed)
    params = {"message": a_message(rng), "metadata": {"k": any_json(rng)}}
    found = (await door.call("SendMessage", params)).found["task"]
    told = known_by(found)
    assert told["message"].pop("taskId") == found["id"]
    assert told["message"].pop("contextId") == found["contextId"]
    assert told["message"] == said_by(params["message"])
    assert told["requestMetadata"] == said_by(params["metadata"])
    kept = (await house.door(RpcV1).get(found["id"]))["history"][0]
    assert {name: kept[name] for name in params["message"]} == said_by(params["message"])


def said_by(message: Any) -> Any:
    """Return a message as it comes back: a double is all that JSON's numbers are."""
    if isinstance(message, dict):
        return {name: said_by(value) for name, value in message.items()}
    if isinstance(message, list):
        return [said_by(value) for value in message]
    if isinstance(message, int) and not isinstance(message, bool):
        return float(message)
    return message


@keeps("1.15-means-the-same")
async def test_an_empty_message_of_a_user_is_one(door: Door) -> None:
    params = sending("")
    params["message"]["parts"] = [{"text": ""}]
    found = (await door.call("SendMessage", params)).found["task"]
    assert found["history"][0]["parts"] == [{"text": ""}]
