"""Bodies that no client should send, at every HTTP door of a real server: each is told what is wrong."""

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from support.nonsense import NONSENSE, places, spoiled
from support.victim import AGENT, Victim, post, rpc, said

from hector_a2a.service import SERVICE_DESCRIPTOR

SAID_03 = {
    "message": {
        "kind": "message",
        "messageId": "m",
        "role": "user",
        "contextId": "c",
        "metadata": {"a": 1},
        "parts": [
            {"kind": "text", "text": "x", "metadata": {"b": [1]}},
            {"kind": "data", "data": {"x": {"y": None}}},
            {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "text/plain", "name": "a.txt"}},
        ],
    },
    "configuration": {"acceptedOutputModes": ["text/plain"], "blocking": False, "historyLength": 1},
    "metadata": {"c": {}},
}
SAID = json.dumps(said("hello")).encode()
ENVELOPE = b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":%b}' % SAID
DOORS = {
    "JSON-RPC": (f"/agents/{AGENT}", ENVELOPE, "1.0"),
    "HTTP+JSON": (f"/agents/{AGENT}/message:send", SAID, "1.0"),
    "JSON-RPC 0.3": (
        f"/agents/{AGENT}",
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": SAID_03}).encode(),
        "0.3",
    ),
    "HTTP+JSON 0.3": (f"/agents/{AGENT}/v1/message:send", json.dumps(SAID_03).encode(), "0.3"),
    "the old door": (f"/v1/agents/{AGENT}", ENVELOPE, "1.0"),
}


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> tuple[str, bytes, str]:
    return DOORS[request.param]


def is_error(answer: Any) -> bool:
    return answer.status >= 400 or "error" in answer.json


async def test_a_whole_body_is_taken_at_every_door(victim: Victim, door: Any) -> None:
    path, body, version = door
    answer = await victim.ask(post(path, body, version=version))
    assert not is_error(answer), answer


async def test_a_body_that_ends_too_early_is_no_json_wherever_it_ends(victim: Victim, door: Any) -> None:
    path, body, version = door
    cut = [post(path, body[:length], version=version) for length in range(1, len(body))]
    for answer in await victim.ask_all(cut):
        assert is_error(answer)
        assert "not JSON" in answer.json["error"]["message"] + str(answer.json["error"].get("details"))


async def test_a_client_that_sends_less_than_it_said_is_told_in_time(victim: Victim, door: Any) -> None:
    path, body, version = door
    for length in (0, 1, len(body) // 2, len(body) - 1):
        whole = post(path, body, version=version)
        answer = await victim.ask(whole[: len(whole) - len(body) + length])
        assert answer.status == 408


async def test_a_client_that_hangs_up_in_mid_body_costs_nothing(victim: Victim, door: Any) -> None:
    path, body, version = door
    whole = post(path, body, version=version)
    for length in range(0, len(body), 16):
        _, writer = await victim.connect()
        writer.write(whole[: len(whole) - len(body) + length])
        writer.close()


LEVELS = 100_000
DEEP = {
    "arrays": b"[" * LEVELS + b"]" * LEVELS,
    "objects": b'{"a":' * LEVELS + b"1" + b"}" * LEVELS,
    "arrays that never end": b"[" * LEVELS,
    "objects that never end": b'{"a":' * LEVELS,
    "a thousand levels": b"[" * 1000 + b"]" * 1000,
    "two hundred levels": b'{"a":' * 200 + b"1" + b"}" * 200,
    "forty levels": b'{"a":' * 40 + b"1" + b"}" * 40,
}
PLACES = {
    "alone": b"%b",
    "in params": b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":%b}',
    "as id": b'{"jsonrpc":"2.0","id":%b,"method":"GetTask","params":{}}',
    "in data": ENVELOPE.replace(b'{"text": "hello"}', b'{"data": %b}'),
    "in metadata": ENVELOPE.replace(b'"role"', b'"metadata": {"x": %b}, "role"'),
    "as a text": ENVELOPE.replace(b'"hello"', b"%b"),
    "under a name that is ignored": ENVELOPE.replace(b'"role"', b'"other": %b, "role"'),
    "data over HTTP+JSON": SAID.replace(b'{"text": "hello"}', b'{"data": %b}'),
}


@pytest.mark.parametrize("deep", DEEP)
async def test_json_may_not_be_nested_without_end(victim: Victim, deep: str) -> None:
    for place, template in PLACES.items():
        path = DOORS["HTTP+JSON" if "HTTP" in place else "JSON-RPC"][0]
        answer = await victim.ask(post(path, template % DEEP[deep]))
        ignored = "ignored" in place and deep.endswith("levels")
        assert is_error(answer) or ignored, (place, answer)


NUMBERS = [
    *(b"1e400", b"-1e400", b"1e-400", b"1" + b"0" * 5000, b"-" + b"9" * 5000, b"0." + b"3" * 5000),
    *(b"1" * 100_000, b"1e" + b"9" * 1000, b"NaN", b"Infinity", b"-Infinity", b"0x10", b"01", b"+1", b"1."),
    *(b".5", b"-0", b"1_0", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616"),
    *(b"2147483648", b"2147483648.0", b"1.5", b"1e3", b"1e10", b"true", b'"1"', b'"1e400"', b'"NaN"'),
]
NUMBER_PLACES = {
    "history length": ("GetTask", b'{"id":"x","historyLength":%b}'),
    "page size": ("ListTasks", b'{"pageSize":%b}'),
    "time": ("ListTasks", b'{"statusTimestampAfter":%b}'),
    "state": ("ListTasks", b'{"status":%b}'),
    "data": ("SendMessage", SAID.replace(b'{"text": "hello"}', b'{"data": [%b]}')),
    "metadata": ("SendMessage", SAID.replace(b'"role"', b'"metadata": {"x": %b}, "role"')),
    "role": ("SendMessage", SAID.replace(b'"ROLE_USER"', b"%b")),
}


@pytest.mark.parametrize("place", NUMBER_PLACES)
async def test_numbers_beyond_all_measure_do_no_harm(victim: Victim, place: str) -> None:
    method, template = NUMBER_PLACES[place]
    envelope = b'{"jsonrpc":"2.0","id":1,"method":"%b","params":%b}'
    bodies = [envelope % (method.encode(), template % number) for number in NUMBERS]
    for number, answer in zip(
        NUMBERS, await victim.ask_all([post(f"/agents/{AGENT}", b) for b in bodies]), strict=True
    ):
        allowed = (-32001,) if method == "GetTask" else (0,)
        assert answer.code in (-32700, -32602, *allowed), (number, answer)


async def test_an_id_comes_back_as_it_was_or_is_refused(victim: Victim) -> None:
    """JSON-RPC 2.0: the answer's id is the request's."""
    ids = [*NUMBERS, b'"\\u0000"', b'"' + b"x" * 100_000 + b'"', b"null", b'"\\ud83d\\ude00"', b"[]", b"{}"]
    bodies = [b'{"jsonrpc":"2.0","id":%b,"method":"GetTask","params":{"id":"x"}}' % one for one in ids]
    for sent, answer in zip(
        ids, await victim.ask_all([post(f"/agents/{AGENT}", b) for b in bodies]), strict=True
    ):
        if answer.code in (-32700, -32600):
            assert answer.json["id"] is None
        else:
            assert answer.json["id"] == json.loads(sent), (sent[:100], answer.body[:200])


UNREADABLE = [
    *(b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80", b"\xe2\x82"),
    *(b"\\ud800", b"\\udc00\\ud800"),
]


async def test_text_that_is_no_text_is_refused(victim: Victim, door: Any) -> None:
    path, body, version = door
    for old in (b"hello", b'"m"', b'"text"', b"ROLE_USER"):
        for bad in UNREADABLE:
            new = b'"%b"' % bad if old.startswith(b'"') else bad
            if old in body:
                answer = await victim.ask(post(path, body.replace(old, new), version=version))
                assert is_error(answer), (old, bad)


async def test_other_encodings_of_unicode_are_refused(victim: Victim, door: Any) -> None:
    path, body, version = door
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        answer = await victim.ask(post(path, body.decode().encode(encoding), version=version))
        assert is_error(answer), encoding


async def test_keys_that_come_twice_are_one_and_the_last_counts(victim: Victim) -> None:
    """RFC 8259: what readers do with them differs; ours must be of one mind everywhere."""
    twice = ENVELOPE.replace(b'"id":1', b'"id":1,"id":2').replace(b'"role"', b'"messageId":"n","role"')
    answer = await victim.ask(post(f"/agents/{AGENT}", twice))
    assert answer.json["id"] == 2
    assert answer.json["result"]["task"]["history"][0]["messageId"] == "n"
    many = b'{"jsonrpc":"2.0",' + b'"id":1,' * 50_000 + ENVELOPE[17:]
    assert not is_error(await victim.ask(post(f"/agents/{AGENT}", many)))


async def test_many_keys_are_read_in_time(victim: Victim) -> None:
    keys = ",".join(f'"k{number}": {number}' for number in range(50_000)).encode()
    body = ENVELOPE.replace(b'"parts": [', b'"parts": [{"data": {%b}}, ' % keys)
    assert not is_error(await victim.ask(post(f"/agents/{AGENT}", body), within_s=5))


async def test_a_field_of_the_wrong_type_is_named_whatever_it_is(victim: Victim) -> None:
    """Every field of every request, from the contract; each is asked for with everything that it is not."""
    cases = [
        (method, path, spoiled(example, path, wrong), wrong)
        for method in SERVICE_DESCRIPTOR.methods
        for example in examples(method.input_type)
        for path, field in fields_of(method.input_type, example)
        for wrong in NONSENSE
        if not fits(field, wrong)
    ]
    assert len(cases) > 1000
    answers = await victim.ask_all([rpc(method.name, params) for method, _, params, _ in cases])
    for (method, path, _, wrong), answer in zip(cases, answers, strict=True):
        assert answer.code < 0, (method.name, path, wrong, answer.body)
        if answer.code == -32602:
            told = json.dumps(answer.json["error"])
            assert str(path[0]) in told, (method.name, path, wrong, told)


@pytest.mark.parametrize("version", ["1.0", "0.3"])
async def test_nonsense_anywhere_is_never_our_fault(victim: Victim, version: str) -> None:
    """As above with the whole envelope, at every door, in both versions; here it may also make sense."""
    requests = []
    for path, body, spoken in DOORS.values():
        if spoken == version:
            example = json.loads(body)
            for place in places(example):
                requests += [
                    post(path, json.dumps(spoiled(example, place, wrong)).encode(), version=version)
                    for wrong in NONSENSE
                ]
    assert len(requests) > 300
    await victim.ask_all(requests)


@pytest.mark.parametrize("seed", range(2))
async def test_bodies_with_random_damage_are_never_our_fault(victim: Victim, door: Any, seed: int) -> None:
    path, body, version = door
    dice = random.Random(seed)
    await victim.ask_all([post(path, damaged(body, dice), version=version) for _ in range(250)])


TOKENS = [b"null", b"{}", b"[]", b'"', b",", b"1e999", b"\\u0000", b"\x00", b":", b"-"]


def damaged(body: bytes, dice: random.Random) -> bytes:
    """Return a body with a few bytes lost, doubled, changed, moved, or with pieces of JSON put in."""
    found = bytearray(body)
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        at, length = dice.randrange(len(found) + 1), dice.choice((1, 1, 2, 8))
        match dice.randrange(5):
            case 0:
                del found[at : at + length]
            case 1:
                found[at:at] = found[at : at + length]
            case 2:
                found[at : at + 1] = dice.randbytes(1)
            case 3:
                other = dice.randrange(len(found) + 1)
                found[at:at] = found[other : other + 4 * length]
            case _:
                found[at:at] = dice.choice(
                    [b"null", b"{}", b"[]", b'"', b",", b"1e999", b"\\u0000", b"\x00", b":", b"-"]
                )
    return bytes(found)


BIG = 20_000_000
BOMB = gzip.compress(b" " * 50_000_000)


async def test_twenty_megabytes_are_refused_however_they_come(victim: Victim, door: Any) -> None:
    path, _, version = door
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"A2A-Version: {version}\r\n"
    piece = b"x" * 100_000
    counted = f"{head}Content-Length: {BIG}\r\n\r\n".encode()
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"%x\r\n%b\r\n" % (len(piece), piece)
    for pieces in ([counted, *[piece] * 200], [chunked, *[chunk] * 200, b"0\r\n\r\n"]):
        for answer in await victim.say(*pieces):  # or the connection is cut
            assert answer.status == 413
    tiny = [chunked, *[b"1\r\nx\r\n" * 10_000] * 150]
    for answer in await victim.say(*tiny):
        assert answer.status in (413, 408)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "nonsense"])
async def test_packed_bodies_are_not_unpacked(victim: Victim, door: Any, encoding: str) -> None:
    """Ours: a packed megabyte may be a gigabyte."""
    path, body, version = door
    for packed in (BOMB, gzip.compress(body)):
        answer = await victim.ask(post(path, packed, f"Content-Encoding: {encoding}", version=version))
        assert is_error(answer)


def examples(descriptor: Descriptor) -> list[dict[str, Any]]:
    """Return valid JSON of a message with every field set; one for each choice of its parts."""
    return [_example(descriptor, choice, 0) for choice in range(4 if "Send" in descriptor.name else 1)]


_LEAVES = {"Struct": {"k": 1}, "Value": "v", "ListValue": [1], "Timestamp": "2026-01-31T12:00:00Z"}


def _example(descriptor: Descriptor, choice: int, depth: int) -> Any:
    if descriptor.full_name.startswith("google.protobuf."):
        return _LEAVES[descriptor.name]
    found: dict[str, Any] = {}
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if oneof and len(oneof.fields) > 1 and oneof.fields[choice % len(oneof.fields)] != field:
            continue
        if field.name in ("tenant", "task_push_notification_config"):  # would be refused as a whole
            continue
        one = _example_of(field, choice, depth)
        found[field.json_name] = [one] if field.is_repeated else one
    return found


def _example_of(field: FieldDescriptor, choice: int, depth: int) -> Any:
    if field.message_type is not None:
        return _example(field.message_type, choice, depth + 1)
    if field.enum_type is not None:
        return field.enum_type.values[1].name
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return "aGk="
    return True if field.type == FieldDescriptor.TYPE_BOOL else 1


def fields_of(
    descriptor: Descriptor, example: dict[str, Any], path: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], FieldDescriptor]]:
    """Return every field of the contract that an example has, and the way to it."""
    for field in descriptor.fields:
        if field.json_name not in example:
            continue
        here = (*path, field.json_name)
        yield here, field
        inner = field.message_type
        if inner is not None and not inner.full_name.startswith("google.protobuf."):
            value = example[field.json_name]
            if field.is_repeated:
                yield from fields_of(inner, value[0], (*here, 0))
            else:
                yield from fields_of(inner, value, here)


def fits(field: FieldDescriptor, value: Any) -> bool:
    """Say whether a value may stand in a field, or is at least of its kind."""
    if value is None:
        return True  # as if it were left out
    if field.is_repeated:
        return isinstance(value, list) and all(_fits_one(field, one) for one in value)
    return _fits_one(field, value)


def _fits_one(field: FieldDescriptor, value: Any) -> bool:
    inner = field.message_type
    if inner is not None:
        if inner.full_name == "google.protobuf.Value":
            return True
        return isinstance(value, dict) and not field.is_repeated
    if field.enum_type is not None:
        return False
    kinds: dict[int, Any] = {
        FieldDescriptor.TYPE_STRING: str,
        FieldDescriptor.TYPE_BYTES: str,
        FieldDescriptor.TYPE_BOOL: bool,
    }
    kind = kinds.get(field.type)
    return isinstance(value, kind) if kind else value in (True, -1) and not isinstance(value, bool)
