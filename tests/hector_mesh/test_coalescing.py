"""Token streams across process borders: fewer messages for slow readers, nothing lost, nothing late."""

import asyncio
import logging

import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector_mesh import HectorError, coalesce, current_call, info_of, streaming

METHOD = "/hector.testing.echo.v1.Echo/Spell"


def joined(first, second):
    """Merge texts; what is in capitals stays apart."""
    if first.text.isupper() or second.text.isupper():
        return None
    first.text += second.text
    return first


async def spelled(text):
    for letter in text:
        yield EchoResponse(text=letter)


class Gone(HectorError):
    code = StatusCode.NOT_FOUND
    reason = "GONE"


class Speller(EchoServicer):
    def __init__(self):
        self.produced = 0
        self.stopped = asyncio.Event()
        self.go = asyncio.Event()
        self.instances = []

    async def Spell(self, request, context):
        self.instances.append(current_call.get().instance)
        try:
            if request.text == "abCDef":
                yield [EchoResponse(text=letter) for letter in request.text]
                return
            for letter in request.text:
                yield EchoResponse(text=letter)
            match request.text:
                case "fails":
                    raise Gone("gone midway")
                case "aborts":
                    await context.abort(StatusCode.ABORTED, "enough")
                case "breaks":
                    raise ValueError("a bug")
                case "waits":
                    await self.go.wait()
                    yield EchoResponse(text="!")
                case "cancels":
                    raise asyncio.CancelledError
            while request.text == "endless":
                self.produced += 1
                yield EchoResponse(text="more" * 10_000)
        finally:
            self.stopped.set()


@pytest.fixture
def servicer():
    return Speller()


@pytest.fixture
async def echo(mesh_under_test, servicer):
    await mesh_under_test.serve(
        lambda server: add_EchoServicer_to_server(servicer, server), merges={METHOD: joined}
    )
    return EchoStub(mesh_under_test.mesh.at("llms.fast"))


async def pieces_of(call):
    return [message.text async for message in call]


async def test_a_stream_says_the_same_whether_merged_or_not(echo, mesh_under_test):
    text = "the quick brown fox jumps over the lazy dog " * 50
    pieces = await pieces_of(echo.Spell(EchoRequest(text=text)))
    assert "".join(pieces) == text
    if mesh_under_test.transport == "local":
        assert len(pieces) == len(text)
    else:
        assert len(pieces) < len(text) / 10


async def test_what_cannot_be_merged_arrives_apart_and_in_order(echo):
    pieces = await pieces_of(echo.Spell(EchoRequest(text="abCDef")))
    assert "".join(pieces) == "abCDef"
    assert {"C", "D"} <= set(pieces)


async def test_a_piece_that_nobody_waits_for_is_sent_at_once(echo, servicer):
    async with asyncio.timeout(5), streaming(echo.Spell(EchoRequest(text="waits"))) as messages:
        got = ""
        while got != "waits":
            got += (await messages.read()).text
        servicer.go.set()
        assert (await messages.read()).text == "!"


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("fails", StatusCode.NOT_FOUND, "GONE"),
        ("aborts", StatusCode.ABORTED, ""),
        ("breaks", StatusCode.INTERNAL, "INTERNAL"),
        ("cancels", StatusCode.CANCELLED, "CANCELLED_INSIDE"),
    ],
)
async def test_a_failure_comes_after_the_pieces_before_it(echo, text, code, reason, caplog):
    got = []

    async def read():
        async for message in echo.Spell(EchoRequest(text=text)):
            got.append(message.text)

    with caplog.at_level(logging.CRITICAL), pytest.raises(AioRpcError) as failure:
        await read()
    assert "".join(got) == text
    assert failure.value.code() is code
    assert info_of(failure.value).reason == reason


async def test_a_reader_that_leaves_stops_the_servicer(echo, servicer):
    async with streaming(echo.Spell(EchoRequest(text="endless"))) as messages:
        await messages.read()
    async with asyncio.timeout(5):
        await servicer.stopped.wait()


async def test_a_deadline_stops_the_servicer(echo, servicer):
    with pytest.raises(AioRpcError) as failure:
        await pieces_of(echo.Spell(EchoRequest(text="waits"), timeout=0.2))
    assert failure.value.code() is StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(5):
        await servicer.stopped.wait()


async def test_a_stalled_reader_holds_up_the_servicer(echo, servicer):
    async with streaming(echo.Spell(EchoRequest(text="endless"))) as messages:
        await messages.read()
        before = -1
        async with asyncio.timeout(20):
            while servicer.produced != before:
                before = servicer.produced
                await asyncio.sleep(0.2)


async def test_the_servicer_is_inside_its_call(echo, servicer):
    await pieces_of(echo.Spell(EchoRequest(text="a")))
    assert servicer.instances == ["llms.fast"]


async def test_messages_that_wait_for_the_reader_are_joined():
    slow = asyncio.Event()
    seen = []

    async def stream():
        yield EchoResponse(text="first")
        await asyncio.sleep(0)
        async for message in spelled("abcdef"):
            yield message

    async def read_first():
        async for message in coalesce(stream(), joined):
            seen.append(message.text)
            if len(seen) == 1:
                await slow.wait()

    task = asyncio.create_task(read_first())
    while not seen:  # noqa: ASYNC110
        await asyncio.sleep(0)
    for _ in range(5):
        await asyncio.sleep(0)
    slow.set()
    await task
    assert seen == ["first", "abcdef"]


async def test_the_producer_is_at_most_so_far_ahead():
    from hector_mesh.coalescing import AHEAD

    produced = 0

    async def endless():
        nonlocal produced
        while True:
            produced += 1
            yield EchoResponse(text="x")

    messages = coalesce(endless(), joined)
    assert len((await anext(messages)).text) == AHEAD
    for _ in range(10):
        await asyncio.sleep(0)
    assert produced <= 2 * AHEAD
    await messages.aclose()


async def test_leaving_early_closes_the_stream():
    closed = asyncio.Event()

    async def endless():
        try:
            while True:
                yield EchoResponse(text="X")
                await asyncio.sleep(0)
        finally:
            closed.set()

    messages = coalesce(endless(), joined)
    await anext(messages)
    await messages.aclose()
    assert closed.is_set()


async def test_a_failure_is_raised_after_the_messages_before_it():
    async def failing():
        yield EchoResponse(text="a")
        yield EchoResponse(text="b")
        raise Gone("gone")

    got = []

    async def read():
        async for message in coalesce(failing(), joined):
            got.append(message.text)

    with pytest.raises(Gone):
        await read()
    assert got == ["ab"]
