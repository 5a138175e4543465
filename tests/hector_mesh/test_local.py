"""What only the transport inside the process has: its server's end, and what it keeps."""

import asyncio
import gc
import random
from contextlib import suppress

import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector_mesh import (
    Call,
    LocalChannel,
    LocalServer,
    Mesh,
    Room,
    current_call,
    gives_away,
    scope,
    streaming,
)

ECHO = "hector.testing.echo.v1.Echo"


class Echo(EchoServicer):
    def __init__(self):
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.seen = []

    async def Say(self, request, context):
        self.seen.append(current_call.get())
        self.started.set()
        if request.text == "slow":
            await self.go.wait()
        if request.text == "naps":
            await asyncio.sleep(0.001)
        return EchoResponse(text="said")

    async def Spell(self, request, context):
        for number in range(int(request.text)):
            yield EchoResponse(text=str(number))
            if number % 3 == 0:
                await asyncio.sleep(0)


@pytest.fixture
def servicer():
    return Echo()


@pytest.fixture
def server(servicer):
    server = LocalServer()
    add_EchoServicer_to_server(servicer, server)
    return server


@pytest.fixture
def echo(server):
    return EchoStub(Mesh({ECHO: LocalChannel(server)}))


async def test_a_server_knows_what_it_serves(server):
    assert server.services == (ECHO,)


async def test_stopping_lets_calls_in_flight_finish(server, servicer, echo):
    call = echo.Say(EchoRequest(text="slow"))
    await servicer.started.wait()
    stopping = asyncio.ensure_future(server.stop(5))
    await asyncio.sleep(0)
    servicer.go.set()
    assert (await call).text == "said"
    async with asyncio.timeout(5):
        await stopping


async def test_stopping_ends_calls_that_take_too_long(server, servicer, echo):
    call = echo.Say(EchoRequest(text="slow"))
    await servicer.started.wait()
    await server.stop(None)
    assert await call.code() is StatusCode.UNAVAILABLE


async def test_a_stopped_server_is_unavailable_until_it_is_started_again(server, echo):
    await server.stop(None)
    with pytest.raises(AioRpcError) as failure:
        await echo.Say(EchoRequest())
    assert failure.value.code() is StatusCode.UNAVAILABLE
    await server.start()
    assert (await echo.Say(EchoRequest())).text == "said"


async def test_what_has_arrived_of_a_stream_can_be_had_at_once(echo):
    """Ours: who writes messages to a socket writes those together that are there."""
    async with asyncio.timeout(5):
        rpc = echo.Spell(EchoRequest(text="100"))
        found, together = [], 0
        async for message in rpc:
            more = rpc.ready()
            found += [message.text, *(one.text for one in more)]
            together += len(more)
        assert found == [str(number) for number in range(100)]
        assert together > 0
        assert rpc.ready() == []
        assert await rpc.code() is StatusCode.OK


async def test_an_answer_that_is_given_away_is_not_copied():
    sent = []

    class Giving(EchoServicer):
        @gives_away
        async def Say(self, request, context):
            if request.text == "code":
                context.set_details("with details")
            if request.text == "wrong":
                return EchoRequest(text="not an answer")
            sent.append(EchoResponse(text=request.text))
            return sent[-1]

    server = LocalServer()
    add_EchoServicer_to_server(Giving(), server)
    channel = LocalChannel(server)
    for text in ("plain", "code"):
        call = EchoStub(Mesh({ECHO: channel})).Say(EchoRequest(text=text))
        assert await call is sent[-1]
        assert await call is sent[-1]
    as_bytes = channel.unary_unary(f"/{ECHO}/Say", EchoRequest.SerializeToString)
    assert await as_bytes(EchoRequest(text="bytes")) == sent[-1].SerializeToString()
    wrong = await EchoStub(channel).Say(EchoRequest(text="wrong"))
    assert isinstance(wrong, EchoResponse)


async def test_nothing_is_left_of_calls_that_ended_in_any_way(server, echo):
    """Thousands of calls, finished, cancelled, late or walked away from, leave neither tasks nor children."""
    dice = random.Random(7)

    async def say():
        with suppress(AioRpcError):
            await echo.Say(EchoRequest(text="naps"), timeout=dice.choice([0.0005, 0.001, 5]))

    async def spell():
        async with streaming(echo.Spell(EchoRequest(text=str(dice.randrange(60))))) as messages:
            stop_at = dice.randrange(60)
            async for message in messages:
                if int(message.text) == stop_at:
                    break

    async def give_up():
        call = echo.Say(EchoRequest(text="slow"))
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        call.cancel()

    async def be_cancelled():
        task = asyncio.create_task(dice.choice([say, spell])())
        for _ in range(dice.randrange(6)):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    before = asyncio.all_tasks()
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    with scope(Call()) as call:
        for _ in range(20):
            async with asyncio.timeout(20):
                await asyncio.gather(
                    *(dice.choice([say, spell, give_up, be_cancelled])() for _ in range(100))
                )
        async with asyncio.timeout(5):
            await server.stop(5)
        assert call.children == set()
    assert asyncio.all_tasks() <= before
    assert complaints == []


async def test_a_call_that_ended_leaves_nothing_to_the_collector(server, echo):
    async def one_of_each():
        with scope(Call(request_id="r")):
            await echo.Say(EchoRequest())
            async with streaming(echo.Spell(EchoRequest(text="3"))) as messages:
                assert [message.text async for message in messages] == ["0", "1", "2"]
        await server.stop(5)
        await server.start()

    await one_of_each()  # what is made once, on first use
    gc.collect()
    gc.disable()
    try:
        await one_of_each()
        assert gc.collect() == 0
    finally:
        gc.enable()


async def test_a_room_is_what_its_package_gives_the_process(servicer):
    room = Room(lambda server: add_EchoServicer_to_server(servicer, server))
    server = LocalServer()
    room.register(server)
    async with room.running():
        assert (await EchoStub(LocalChannel(server)).Say(EchoRequest())).text == "said"
    assert room.ready is None
