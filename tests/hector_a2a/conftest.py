"""Random A2A messages, the same in every run."""

import random
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from hector_a2a.json_fields import is_map, is_repeated

M = TypeVar("M", bound=Message)


class RandomMessages(Protocol):
    def __call__(self, message_type: type[M], count: int = 60) -> list[M]: ...


WORDS = ["", "a", "Grüße", "日本語 \U0001f600", 'quo"te\\', "line\nbreak\t\x00", "x" * 300]


def random_json(rng: random.Random, depth: int = 0) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: rng.choice(WORDS),
        lambda: rng.randint(-10_000, 10_000),
        lambda: rng.uniform(-1e6, 1e6),
        lambda: rng.random() < 0.5,
        lambda: None,
    ]
    if depth < 3:
        kinds.append(lambda: [random_json(rng, depth + 1) for _ in range(rng.randint(0, 3))])
        kinds.append(lambda: {f"k{i}": random_json(rng, depth + 1) for i in range(rng.randint(0, 3))})
    return rng.choice(kinds)()


def fill(message: Any, rng: random.Random, depth: int = 0) -> Any:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Struct":
        json_format.ParseDict({f"k{i}": random_json(rng) for i in range(rng.randint(0, 3))}, message)
    elif name == "google.protobuf.Value":
        json_format.ParseDict(random_json(rng), message)
    elif name == "google.protobuf.Timestamp":
        message.seconds = rng.randint(-62_000_000_000, 250_000_000_000)
        message.nanos = rng.randint(0, 999) * 1_000_000
    else:
        for field in message.DESCRIPTOR.fields:
            if rng.random() < 0.6 and depth < 8:
                fill_field(message, field, rng, depth)
    return message


def fill_field(message: Any, field: FieldDescriptor, rng: random.Random, depth: int) -> None:
    into = getattr(message, field.name)
    if is_map(field):
        assert field.message_type is not None
        value = field.message_type.fields_by_name["value"]
        for index in range(rng.randint(0, 2)):
            if value.message_type is not None:
                into[f"key{index}"].SetInParent()
                fill(into[f"key{index}"], rng, depth + 1)
            else:
                into[f"key{index}"] = scalar(value, rng)
    elif is_repeated(field):
        for _ in range(rng.randint(0, 3)):
            if field.message_type is not None:
                fill(into.add(), rng, depth + 1)
            else:
                into.append(scalar(field, rng))
    elif field.message_type is not None:
        into.SetInParent()
        fill(into, rng, depth + 1)
    else:
        setattr(message, field.name, scalar(field, rng))


def scalar(field: FieldDescriptor, rng: random.Random) -> Any:
    if field.enum_type is not None:
        return rng.choice(field.enum_type.values).number
    makers: dict[int, Callable[[], Any]] = {
        FieldDescriptor.TYPE_STRING: lambda: rng.choice(WORDS),
        FieldDescriptor.TYPE_BOOL: lambda: rng.random() < 0.5,
        FieldDescriptor.TYPE_INT32: lambda: rng.randint(-(2**31), 2**31 - 1),
        FieldDescriptor.TYPE_BYTES: lambda: rng.randbytes(rng.randint(0, 40)),
    }
    return makers[field.type]()


@pytest.fixture
def random_messages() -> RandomMessages:
    rng = random.Random(20_260)

    def make(message_type: type[M], count: int = 60) -> list[M]:
        return [fill(message_type(), rng) for _ in range(count)]

    return make


@pytest.fixture
def random_values() -> Callable[[int], list[Any]]:
    rng = random.Random(7)
    return lambda count: [random_json(rng) for _ in range(count)]
