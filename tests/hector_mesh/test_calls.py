"""What a caller may do with a call: the same on both transports, because grpc's own calls set the bar."""

import asyncio
import time
from contextlib import suppress

import grpc
import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError, UsageError

from hector_mesh import streaming

pytestmark = pytest.mark.usefixtures("with_and_without_tracing")


class Echo(EchoServicer):
    """Says what it is told to, and remembers what became of it."""

    def __init__(self):
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()
        self.release = asyncio.Event()
        self.produced = 0
        self.held = self.sent = None

    async def Say(self, request, context):
        self.held = request
        if request.text == "slow":
            self.started.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped.set()
        if request.text == "stubborn":
            self.started.set()
            await stubbornly(self.release)
        self.sent = EchoResponse(text=request.text[::-1])
        return self.sent

    async def Spell(self, request, context):
        try:
            self.started.set()
            if request.text == "blanks":
                for _ in range(3):
                    yield EchoResponse()
                return
            if request.text == "stubborn":
                await stubbornly(self.release)
            for letter in request.text:
                yield EchoResponse(text=letter)
            while request.text == "endless":
                self.produced += 1
                yield EchoResponse(text="more" * 1000)
                await asyncio.sleep(0)
            if request.text == "wait":
                await asyncio.Event().wait()
        finally:
            self.stopped.set()


async def stubbornly(event):
    """Wait, and do not let a cancellation get in the way: what no servicer should do, and one day does."""
    while not event.is_set():
        with suppress(asyncio.CancelledError):
            await event.wait()


@pytest.fixture
def servicer():
    return Echo()


@pytest.fixture
async def echo(mesh_under_test, servicer):
    await mesh_under_test.serve(lambda server: add_EchoServicer_to_server(servicer, server))
    return EchoStub(mesh_under_test.mesh)


async def read_all(call):
    return "".join([message.text async for message in call])


async def happens(event):
    async with asyncio.timeout(5):
        await event.wait()


async def test_a_unary_call_returns_its_answer(echo):
    assert (await echo.Say(EchoRequest(text="abc"))).text == "cba"


async def test_a_stream_returns_its_messages_in_order(echo):
    assert await read_all(echo.Spell(EchoRequest(text="hello"))) == "hello"


async def test_empty_messages_are_messages(echo):
    assert (await echo.Say(EchoRequest())).text == ""
    assert len([message async for message in echo.Spell(EchoRequest(text="blanks"))]) == 3


async def test_an_empty_stream_ends(echo):
    assert await read_all(echo.Spell(EchoRequest())) == ""


async def test_neither_side_sees_the_others_later_edits(echo, servicer):
    request = EchoRequest(text="abc")
    answer = await echo.Say(request)
    request.text = answer.text = "edited"
    assert (servicer.held.text, servicer.sent.text) == ("abc", "cba")


async def test_a_call_can_be_awaited_twice_and_by_two(echo):
    call = echo.Say(EchoRequest(text="abc"))

    async def wait():
        return (await call).text

    assert await asyncio.gather(wait(), wait()) == ["cba", "cba"]
    assert (await call).text == "cba"


async def test_a_call_that_failed_fails_again_when_awaited_again(mesh_under_test, echo):
    call = mesh_under_test.mesh.unary_unary("/hector.testing.echo.v1.Echo/Nope", *coders())(EchoRequest())
    for _ in range(2):
        with pytest.raises(AioRpcError) as failure:
            await call
        assert failure.value.code() is StatusCode.UNIMPLEMENTED


def coders():
    return EchoRequest.SerializeToString, EchoResponse.FromString


async def test_an_unknown_method_is_unimplemented(mesh_under_test, echo):
    for shape in ("unary_unary", "unary_stream"):
        call = getattr(mesh_under_test.mesh, shape)("/hector.testing.echo.v1.Echo/Nope", *coders())(
            EchoRequest()
        )
        with pytest.raises(AioRpcError) as failure:
            await (call if shape == "unary_unary" else call.read())
        assert (failure.value.code(), failure.value.details()) == (
            StatusCode.UNIMPLEMENTED,
            "Method not found!",
        )


async def test_a_finished_call_says_how_it_ended(echo):
    call = echo.Say(EchoRequest(text="abc"))
    assert await call.code() is StatusCode.OK
    assert await call.details() == ""
    assert tuple(await call.trailing_metadata()) == ()
    assert tuple(await call.initial_metadata()) == ()
    assert call.done()
    assert not call.cancelled()
    assert (await call).text == "cba"


async def test_a_call_in_flight_is_not_done(echo, servicer):
    call = echo.Say(EchoRequest(text="slow"))
    await happens(servicer.started)
    assert not call.done()
    assert not call.cancelled()
    call.cancel()


async def test_time_remaining_counts_down_from_the_timeout(echo):
    call = echo.Say(EchoRequest(text="slow"), timeout=10)
    assert 9 < call.time_remaining() <= 10.1
    call.cancel()


async def test_read_returns_messages_and_then_the_end(echo):
    call = echo.Spell(EchoRequest(text="ab"))
    assert (await call.read()).text == "a"
    assert (await call.read()).text == "b"
    assert await call.read() is EOF
    assert await call.read() is EOF
    assert await call.code() is StatusCode.OK


async def test_reading_past_the_end_finds_the_end_again(echo):
    call = echo.Spell(EchoRequest(text="a"))
    async with asyncio.timeout(5):
        assert await read_all(call) == "a"
        assert await read_all(call) == ""


async def test_a_stream_is_read_in_one_style(echo):
    call = echo.Spell(EchoRequest(text="ab"))
    assert (await call.read()).text == "a"
    with pytest.raises(UsageError):
        aiter(call)
    call.cancel()


async def test_a_stream_has_ended_when_its_last_message_was_read(echo):
    call = echo.Spell(EchoRequest(text="abc"))
    await call.read()
    ended = asyncio.ensure_future(call.code())
    await asyncio.sleep(0.05)
    assert not ended.done()
    assert not call.done()
    await call.read()
    await call.read()
    async with asyncio.timeout(5):
        assert await ended is StatusCode.OK
    assert call.done()


async def test_done_callbacks_run_once_with_the_call(echo):
    seen = []
    call = echo.Say(EchoRequest(text="abc"))
    call.add_done_callback(seen.append)
    await call
    assert seen == [call]
    call.add_done_callback(seen.append)
    assert seen == [call, call]


async def test_done_callbacks_run_when_a_call_is_cancelled(echo, servicer):
    seen = []
    call = echo.Spell(EchoRequest(text="wait"))
    call.add_done_callback(seen.append)
    await happens(servicer.started)
    call.cancel()
    assert seen == [call]


async def test_wait_for_connection_returns_when_connected(echo):
    for call in (echo.Say(EchoRequest(text="abc")), echo.Spell(EchoRequest(text="abc"))):
        async with asyncio.timeout(5):
            await call.wait_for_connection()
        call.cancel()


async def test_wait_for_connection_raises_what_ended_the_call(mesh_under_test, echo):
    call = mesh_under_test.mesh.unary_unary("/hector.testing.echo.v1.Echo/Nope", *coders())(EchoRequest())
    with pytest.raises(AioRpcError) as failure:
        await call.wait_for_connection()
    assert failure.value.code() is StatusCode.UNIMPLEMENTED


async def test_a_deadline_ends_the_call_and_its_servicer(echo, servicer):
    began = time.monotonic()
    with pytest.raises(AioRpcError) as failure:
        await echo.Say(EchoRequest(text="slow"), timeout=0.1)
    assert failure.value.code() is StatusCode.DEADLINE_EXCEEDED
    assert failure.value.details() == "Deadline Exceeded"
    assert time.monotonic() - began < 4
    await happens(servicer.stopped)


async def test_a_deadline_ends_a_stream_between_messages(echo, servicer):
    call = echo.Spell(EchoRequest(text="wait"), timeout=0.2)
    with pytest.raises(AioRpcError) as failure:
        await read_all(call)
    assert failure.value.code() is StatusCode.DEADLINE_EXCEEDED
    await happens(servicer.stopped)


async def test_a_deadline_is_kept_by_callers_of_stubborn_servicers(echo, servicer):
    try:
        for call in (
            echo.Say(EchoRequest(text="stubborn"), timeout=0.2),
            echo.Spell(EchoRequest(text="stubborn"), timeout=0.2),
        ):
            assert await call.code() is StatusCode.DEADLINE_EXCEEDED
    finally:
        servicer.release.set()


async def test_a_cancelled_caller_need_not_wait_for_a_stubborn_servicer(echo, servicer):
    async def wait():
        await echo.Say(EchoRequest(text="stubborn"))

    task = asyncio.create_task(wait())
    await happens(servicer.started)
    task.cancel()
    try:
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await task
    finally:
        servicer.release.set()


async def test_a_cancelled_caller_cancels_the_servicer(echo, servicer):
    async def wait():
        await echo.Say(EchoRequest(text="slow"))

    task = asyncio.create_task(wait())
    await happens(servicer.started)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await happens(servicer.stopped)


async def test_a_cancelled_reader_cancels_the_servicer(echo, servicer):
    call = echo.Spell(EchoRequest(text="wait"))
    task = asyncio.create_task(read_all(call))
    await happens(servicer.started)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await happens(servicer.stopped)
    assert call.cancelled()


async def test_a_cancelled_call_says_so(echo, servicer):
    call = echo.Say(EchoRequest(text="slow"))
    await happens(servicer.started)
    assert call.cancel()
    assert not call.cancel()
    assert call.cancelled()
    assert call.done()
    assert await call.code() is StatusCode.CANCELLED
    assert await call.details() == "Locally cancelled by application!"
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await call
    await happens(servicer.stopped)


async def test_a_call_cancelled_before_it_began_is_cancelled(echo):
    call = echo.Say(EchoRequest(text="slow"))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await call


async def test_reading_a_cancelled_stream_is_cancelled(echo):
    call = echo.Spell(EchoRequest(text="endless"))
    reader = aiter(call)
    await anext(reader)
    call.cancel()

    async def read_on():
        async with asyncio.timeout(5):
            while True:
                await anext(reader)

    with pytest.raises(asyncio.CancelledError):
        await read_on()


async def test_leaving_a_stream_stops_its_servicer(echo, servicer):
    async with streaming(echo.Spell(EchoRequest(text="endless"))) as messages:
        async for _ in messages:
            break
    await happens(servicer.stopped)


async def test_a_stalled_reader_holds_up_the_servicer(echo, servicer):
    """Ours: memory must not fill with what nobody reads. The wire's window counts bytes, not messages."""
    async with streaming(echo.Spell(EchoRequest(text="endless"))) as messages:
        await anext(aiter(messages))
        before = -1
        async with asyncio.timeout(20):
            while servicer.produced != before:
                before = servicer.produced
                await asyncio.sleep(0.2)
    await happens(servicer.stopped)


async def test_in_process_a_servicer_is_sixteen_messages_ahead_at_most(echo, servicer, mesh_under_test):
    if mesh_under_test.transport != "local":
        pytest.skip("a socket's window counts bytes")
    async with streaming(echo.Spell(EchoRequest(text="endless"))) as messages:
        await anext(aiter(messages))
        await asyncio.sleep(0.1)
        assert servicer.produced <= 16


async def test_a_long_stream_arrives_whole(echo):
    text = "0123456789" * 500
    assert await read_all(echo.Spell(EchoRequest(text=text))) == text


async def test_large_messages_pass_both_ways(echo):
    """Issue: message limits of 64 MiB; grpc's own 4 MiB is less than a document."""
    text = "x" * (20 * 1024 * 1024)
    assert len((await echo.Say(EchoRequest(text=text))).text) == len(text)


async def test_many_calls_run_side_by_side(echo):
    async def say(number):
        return (await echo.Say(EchoRequest(text=str(number)))).text

    assert await asyncio.gather(*map(say, range(10, 200))) == [str(n)[::-1] for n in range(10, 200)]


async def test_client_streams_are_refused_when_called(mesh_under_test):
    from hector_mesh import HectorError

    start = mesh_under_test.mesh.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    )
    with pytest.raises(HectorError, match="streams its requests"):
        start(iter(()))


async def test_a_service_nobody_serves_is_named(mesh_under_test):
    from hector_mesh import HectorError

    with pytest.raises(
        HectorError, match=r"nothing in this mesh serves hector\.testing\.echo\.v1\.Echo"
    ) as failure:
        EchoStub(mesh_under_test.mesh).Say(EchoRequest())
    assert failure.value.code is StatusCode.UNIMPLEMENTED


async def test_a_channel_is_always_ready(mesh_under_test, echo):
    mesh = mesh_under_test.mesh
    async with mesh:
        await mesh.channel_ready()
        assert mesh.get_state() is grpc.ChannelConnectivity.READY
    await mesh.close()
    assert (await echo.Say(EchoRequest(text="ab"))).text == "ba"


async def test_a_grpc_channel_can_be_closed_while_a_task_waits_for_a_call(echo, servicer, tmp_path):
    """grpc.aio's close looks into every task, and fails on calls that it does not know."""
    call = echo.Spell(EchoRequest(text="wait"))
    waiting = asyncio.ensure_future(call.code())
    await happens(servicer.started)
    await grpc.aio.insecure_channel(f"unix:{tmp_path}/none.sock").close()
    assert not waiting.done()
    call.cancel()
    assert await waiting is StatusCode.CANCELLED
