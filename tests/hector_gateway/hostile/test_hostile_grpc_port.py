"""The public gRPC port under bytes, frames and messages that no client should send."""

import asyncio
import gzip
import random
import struct
from collections.abc import Sequence

import grpc
import pytest
from support.victim import AGENT, INTERNALS, Victim, rpc, said, until

import hector_a2a as a2a
from hector_a2a.service import SERVICE_DESCRIPTOR

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
OURS = {
    *(grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE),
    *(grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.DATA_LOSS),
}
TOO_MUCH = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE}
METHODS = [method.name for method in SERVICE_DESCRIPTOR.methods]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Return a header as HPACK writes one that it does not remember."""
    return b"\x00" + _length(name) + name + _length(value) + value


def _length(text: bytes) -> bytes:
    rest, found = len(text) - 127, b"\x7f"
    if rest < 0:
        return bytes([len(text)])
    while rest > 127:
        found, rest = found + bytes([rest & 127 | 128]), rest >> 7
    return found + bytes([rest])


def call_headers(method: str = "SendStreamingMessage", *more: bytes) -> bytes:
    path = f"/{a2a.SERVICE}/{method}".encode()
    pairs = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
    return b"".join(
        [b"\x83\x86", literal(b":path", path), literal(b":authority", b"a"), *more]
        + [literal(name, value) for name, value in pairs]
    )


def message(text: str) -> bytes:
    request = a2a.SendMessageRequest(tenant=AGENT)
    request.message.message_id, request.message.role = "m", a2a.ROLE_USER
    request.message.parts.add(text=text)
    data: bytes = request.SerializeToString()
    return b"\x00" + struct.pack(">I", len(data)) + data


START = PREFACE + frame(SETTINGS, 0, 0)
CALL = frame(HEADERS, END_HEADERS, 1, call_headers())
STORMS = {
    "TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)],
    "HTTP/1.1": [rpc("SendMessage", said("hello"))],
    "a preface, and no more": [PREFACE],
    "half a preface": [PREFACE[:10]],
    "a frame that never ends": [START, struct.pack(">I", 16_000_000)[1:] + b"\x00\x00\x00\x00\x00\x01"],
    "frames of no kind": [START, *[frame(200, 255, n, b"x" * 100) for n in range(1000)]],
    "data for no call": [START, frame(DATA, 0, 99, b"x" * 1000)],
    "headers that are no HPACK": [START, frame(HEADERS, END_HEADERS, 1, b"\xff" * 1000)],
    "headers without a path": [START, frame(HEADERS, 5, 1, b"\x83\x86")],
    "a header of a megabyte": [START, *[frame(HEADERS, 0, 1, call_headers()[:5])]]
    + [frame(CONTINUATION, 0, 1, literal(b"x-%d" % n, b"y" * 16_000)) for n in range(64)],
    "continuations without end": [START, frame(HEADERS, 0, 1, call_headers())]
    + [frame(CONTINUATION, 0, 1, b"")] * 100_000,
    "settings without end": [START, *[frame(SETTINGS, 0, 0, b"\x00\x04\x00\x00\xff\xff")] * 50_000],
    "pings without end": [START, *[frame(PING, 0, 0, b"12345678")] * 50_000],
    "windows without end": [START, *[frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff")] * 1000],
    "goodbye, and go on": [START, frame(GOAWAY, 0, 0, bytes(8)), CALL],
    "streams of the wrong side": [START, frame(HEADERS, END_HEADERS, 2, call_headers())],
    "one stream, twice": [START, CALL, CALL],
    "a message longer than it is": [START, CALL, frame(DATA, END_STREAM, 1, b"\x00\xff\xff\xff\xffshort")],
    "a message with an odd flag": [START, CALL, frame(DATA, END_STREAM, 1, b"\x07\x00\x00\x00\x01x")],
    "packed, but not said so": [START, CALL, frame(DATA, END_STREAM, 1, b"\x01\x00\x00\x00\x03abc")],
    "a thousand resets": [START]
    + [
        frame(HEADERS, END_HEADERS, n, call_headers())
        + frame(DATA, END_STREAM, n, message("wait"))[: 20 if n % 4 == 1 else None]
        + frame(RESET, 0, n, b"\x00\x00\x00\x08")
        for n in range(1, 2001, 2)
        if n % 4 == 3
    ],
}


@pytest.mark.parametrize("what", STORMS)
async def test_odd_frames_end_in_words_or_a_cut_line(victim: Victim, what: str) -> None:
    await attack(victim, STORMS[what])
    await answers(victim)
    await end_all(victim)


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_and_frames_do_no_harm(victim: Victim, seed: int) -> None:
    dice = random.Random(seed)

    def garbage() -> list[bytes]:
        if seed == 0:
            return [dice.randbytes(dice.randrange(1, 5000))]
        kinds = [
            frame(
                dice.randrange(12),
                dice.randrange(256),
                dice.randrange(20),
                dice.randbytes(dice.randrange(300)),
            )
            for _ in range(50)
        ]
        return [START, CALL, *kinds] if seed == 1 else [START, *kinds]

    await asyncio.gather(*(attack(victim, garbage()) for _ in range(60)))
    await answers(victim)


@pytest.mark.parametrize("method", METHODS)
async def test_damaged_messages_are_never_our_fault(victim: Victim, method: str) -> None:
    """Every method with random bytes and with a request whose bytes were changed; always the same seeds."""
    dice, whole = random.Random(method), message("hello")[5:]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{victim.grpc_port}") as line:
        call = line.unary_stream(f"/{a2a.SERVICE}/{method}")

        async def told(wire: bytes) -> tuple[grpc.StatusCode, str]:
            try:
                async for _ in call(wire, timeout=10):
                    pass
            except grpc.aio.AioRpcError as error:
                return error.code(), error.details() or ""
            return grpc.StatusCode.OK, ""

        for _ in range(60):
            wire = bytearray(whole if dice.random() < 0.7 else dice.randbytes(dice.randrange(200)))
            for _ in range(dice.randrange(1, 4)):
                at = dice.randrange(len(wire) + 1)
                wire[at : at + dice.randrange(2)] = dice.randbytes(dice.randrange(3))
            code, details = await told(bytes(wire))
            assert code not in OURS, (code, details, wire)
            assert not INTERNALS.search(details.encode()), (details, wire)


async def test_messages_that_are_too_large_are_refused_packed_or_not(victim: Victim) -> None:
    """Ours: 20 MB are twice the largest body; packed, they are some kilobytes on the wire."""
    request = a2a.SendMessageRequest(tenant=AGENT)
    request.message.message_id, request.message.role = "m", a2a.ROLE_USER
    request.message.parts.add(text="x" * 20_000_000)
    for packing in (grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{victim.grpc_port}", compression=packing) as line:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await a2a.A2AServiceStub(line).SendMessage(request, timeout=20)
        assert error.value.code() in TOO_MUCH, packing


async def test_a_packed_message_beyond_all_measure_is_not_unpacked(victim: Victim) -> None:
    """A gigabyte of nothing is a megabyte, packed."""
    bomb = gzip.compress(bytes(100_000_000))
    data = b"\x01" + struct.pack(">I", len(bomb)) + bomb
    head = call_headers("SendMessage", literal(b"grpc-encoding", b"gzip"))
    pieces = [data[at : at + 16_000] for at in range(0, len(data), 16_000)]
    frames = [frame(DATA, END_STREAM if piece is pieces[-1] else 0, 1, piece) for piece in pieces]
    before = victim.held()
    for _ in range(3):
        await attack(victim, [START, frame(HEADERS, END_HEADERS, 1, head), *frames])
    assert victim.held().memory_mb < before.memory_mb + 120
    await answers(victim)


async def test_three_hundred_streams_that_vanish_leave_only_their_tasks(victim: Victim) -> None:
    for gone in range(3):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{victim.grpc_port}") as line:
            stub = a2a.A2AServiceStub(line)
            request = a2a.SendMessageRequest.FromString(message("wait")[5:])
            streams = [stub.SendStreamingMessage(request, timeout=60) for _ in range(100)]
            async with asyncio.timeout(30):
                await asyncio.gather(*(anext(aiter(one)) for one in streams))
            if gone:
                for one in streams[::2]:
                    one.cancel()
    await end_all(victim)


async def test_a_reader_that_opens_no_window_holds_up_only_itself(victim: Victim) -> None:
    """Ours: what it does not take is not produced for it, and the others are served."""
    closed = PREFACE + frame(SETTINGS, 0, 0, b"\x00\x04\x00\x00\x00\x00")
    body = frame(DATA, END_STREAM, 1, message("endless"))
    _, writer = await asyncio.open_connection("127.0.0.1", victim.grpc_port)
    before = victim.held()
    writer.write(closed + CALL + body)
    await writer.drain()
    for _ in range(30):
        await answers(victim)
    assert victim.held().memory_mb < before.memory_mb + 60
    writer.close()
    await end_all(victim)


async def attack(victim: Victim, pieces: Sequence[bytes]) -> None:
    """Send all of it, take what comes, and go when there is quiet."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", victim.grpc_port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while True:
                async with asyncio.timeout(0.3):
                    if not await reader.read(65536):
                        break
        except (ConnectionError, TimeoutError):
            pass
        finally:
            writer.transport.abort()


async def answers(victim: Victim) -> None:
    """Fail unless the port still serves."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{victim.grpc_port}") as line:
        request = a2a.SendMessageRequest.FromString(message("hello")[5:])
        answer = await a2a.A2AServiceStub(line).SendMessage(request, timeout=20)
    assert answer.task.status.state == a2a.TASK_STATE_COMPLETED


async def end_all(victim: Victim) -> None:
    """Cancel whatever is at work."""

    async def is_quiet() -> bool:
        listed = await victim.ask(rpc("ListTasks", {"status": "TASK_STATE_WORKING", "pageSize": 100}))
        tasks = listed.json["result"]["tasks"]
        await victim.ask_all([rpc("CancelTask", {"id": task["id"]}) for task in tasks])
        return not tasks

    await until(is_quiet, 30, lambda: "there is always more to cancel")
