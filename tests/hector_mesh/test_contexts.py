"""What a servicer may do with its context: the same on both transports."""

import asyncio
import logging

import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import AbortError, AioRpcError, UsageError

from hector_mesh import Context, streaming

pytestmark = pytest.mark.usefixtures("with_and_without_tracing")


class Scripted(EchoServicer):
    """Does what the test says."""

    def __init__(self, say=None, spell=None):
        if say:
            self.Say = say
        if spell:
            self.Spell = spell


@pytest.fixture
def echo(mesh_under_test):
    async def serve(**behaviors):
        await mesh_under_test.serve(lambda server: add_EchoServicer_to_server(Scripted(**behaviors), server))
        return EchoStub(mesh_under_test.mesh)

    return serve


async def failure_of(awaitable):
    with pytest.raises(AioRpcError) as failure:
        await awaitable
    return failure.value


async def test_a_servicer_reads_what_the_caller_sent_along(echo):
    seen = {}

    async def say(request, context: Context):
        seen.update(context.invocation_metadata())
        seen["first"] = context.invocation_metadata()[0].key
        seen["left"] = context.time_remaining()
        seen["peer"] = context.peer()
        return EchoResponse()

    stub = await echo(say=say)
    await stub.Say(EchoRequest(), timeout=9, metadata=(("own-text", "x"), ("own-bin", b"\x00\xff")))
    assert seen["own-text"] == "x"
    assert seen["own-bin"] == b"\x00\xff"
    assert isinstance(seen["first"], str)
    assert 7 < seen["left"] <= 9.1
    assert seen["peer"].startswith("unix:")


async def test_code_details_and_trailers_reach_the_caller(echo):
    async def say(request, context):
        assert (context.code(), context.details(), tuple(context.trailing_metadata())) == (None, "", ())
        context.set_code(StatusCode.ALREADY_EXISTS)
        context.set_details("twice")
        context.set_trailing_metadata((("why", "because"), ("why-bin", b"\x01")))
        assert context.code() is StatusCode.ALREADY_EXISTS
        assert context.details() == "twice"
        assert dict(context.trailing_metadata())["why"] == "because"
        return EchoResponse(text="not seen")

    call = (await echo(say=say)).Say(EchoRequest())
    failure = await failure_of(call)
    assert (failure.code(), failure.details()) == (StatusCode.ALREADY_EXISTS, "twice")
    assert dict(tuple(failure.trailing_metadata())) == {"why": "because", "why-bin": b"\x01"}
    assert await call.code() is StatusCode.ALREADY_EXISTS
    assert dict(tuple(await call.trailing_metadata()))["why"] == "because"


async def test_trailers_of_a_success_reach_the_caller(echo):
    async def say(request, context):
        context.set_trailing_metadata((("cost", "3"),))
        return EchoResponse(text="yes")

    call = (await echo(say=say)).Say(EchoRequest())
    assert (await call).text == "yes"
    assert (await call.trailing_metadata())["cost"] == "3"


async def test_a_stream_can_end_with_a_code_and_trailers(echo):
    async def spell(request, context):
        yield EchoResponse(text="a")
        context.set_code(StatusCode.DATA_LOSS)
        context.set_details("the rest is gone")
        context.set_trailing_metadata((("seen", "1"),))

    call = (await echo(spell=spell)).Spell(EchoRequest())
    assert (await call.read()).text == "a"
    failure = await failure_of(call.read())
    assert (failure.code(), failure.details()) == (StatusCode.DATA_LOSS, "the rest is gone")
    assert failure.trailing_metadata()["seen"] == "1"


async def test_initial_metadata_arrives_before_the_first_message(echo):
    go = asyncio.Event()

    async def spell(request, context):
        await context.send_initial_metadata((("early", "yes"),))
        await go.wait()
        yield EchoResponse(text="a")

    call = (await echo(spell=spell)).Spell(EchoRequest())
    async with asyncio.timeout(5):
        assert (await call.initial_metadata())["early"] == "yes"
        assert not call.done()
        go.set()
        assert (await call.read()).text == "a"
    call.cancel()


async def test_initial_metadata_is_sent_once(echo):
    async def say(request, context):
        await context.send_initial_metadata((("early", "yes"),))
        try:
            await context.send_initial_metadata(())
        except UsageError:
            return EchoResponse(text="refused")

    call = (await echo(say=say)).Say(EchoRequest())
    assert (await call).text == "refused"
    assert (await call.initial_metadata())["early"] == "yes"


async def test_abort_ends_the_call_with_what_it_says(echo):
    async def say(request, context):
        await context.abort(StatusCode.RESOURCE_EXHAUSTED, "slow down", (("retry", "5"),))

    failure = await failure_of((await echo(say=say)).Say(EchoRequest()))
    assert (failure.code(), failure.details()) == (StatusCode.RESOURCE_EXHAUSTED, "slow down")
    assert failure.trailing_metadata()["retry"] == "5"


async def test_abort_keeps_the_details_and_trailers_set_before(echo):
    async def say(request, context):
        context.set_details("said before")
        context.set_trailing_metadata((("set", "before"),))
        await context.abort(StatusCode.ABORTED)

    failure = await failure_of((await echo(say=say)).Say(EchoRequest()))
    assert (failure.code(), failure.details()) == (StatusCode.ABORTED, "said before")
    assert failure.trailing_metadata()["set"] == "before"


async def test_abort_with_status_takes_a_status_object(echo):
    class Status:
        code = StatusCode.OUT_OF_RANGE
        details = "too far"
        trailing_metadata = (("by", "3"),)

    async def say(request, context):
        await context.abort_with_status(Status())

    failure = await failure_of((await echo(say=say)).Say(EchoRequest()))
    assert (failure.code(), failure.details()) == (StatusCode.OUT_OF_RANGE, "too far")
    assert failure.trailing_metadata()["by"] == "3"


async def test_abort_is_told_at_once_and_can_be_cleaned_up_after(echo):
    cleaned, go = asyncio.Event(), asyncio.Event()

    async def say(request, context):
        try:
            await context.abort(StatusCode.ABORTED, "no")
        finally:
            assert context.done()
            await go.wait()
            cleaned.set()

    failure = await failure_of((await echo(say=say)).Say(EchoRequest()))
    assert failure.code() is StatusCode.ABORTED
    assert not cleaned.is_set()
    go.set()
    async with asyncio.timeout(5):
        await cleaned.wait()


async def test_a_swallowed_abort_still_ends_the_call(echo, caplog):
    async def say(request, context):
        try:
            await context.abort(StatusCode.ABORTED, "no")
        except AbortError:
            return EchoResponse(text="yes after all")

    failure = await failure_of((await echo(say=say)).Say(EchoRequest()))
    assert (failure.code(), failure.details()) == (StatusCode.ABORTED, "no")


async def test_abort_in_mid_stream_keeps_the_messages_before_it(echo):
    async def spell(request, context):
        yield EchoResponse(text="a")
        yield EchoResponse(text="b")
        await context.abort(StatusCode.ABORTED, "enough")

    got = []

    async def read(stub):
        async for message in stub.Spell(EchoRequest()):
            got.append(message.text)

    failure = await failure_of(read(await echo(spell=spell)))
    assert got == ["a", "b"]
    assert (failure.code(), failure.details()) == (StatusCode.ABORTED, "enough")


async def test_messages_that_are_there_at_the_same_time_may_be_yielded_together(echo):
    many = [str(number) for number in range(100)]

    async def spell(request, context):
        yield EchoResponse(text="one")
        for _ in range(3):
            await asyncio.sleep(0)
            yield []  # while its reader waits
        yield [EchoResponse(text=text) for text in many]
        yield EchoResponse(text="last")
        await context.abort(StatusCode.ABORTED, "enough")

    got = []

    async def read(stub):
        async for message in stub.Spell(EchoRequest()):
            got.append(message.text)
            await asyncio.sleep(0)

    failure = await failure_of(read(await echo(spell=spell)))
    assert got == ["one", *many, "last"]
    assert failure.code() is StatusCode.ABORTED


async def test_a_servicer_can_write_its_stream_itself(echo):
    async def spell(request, context):
        for letter in request.text:
            await context.write(EchoResponse(text=letter))

    call = (await echo(spell=spell)).Spell(EchoRequest(text="abc"))
    assert [message.text async for message in call] == ["a", "b", "c"]
    assert await call.code() is StatusCode.OK


async def test_a_writing_servicer_is_stopped_when_its_reader_leaves(echo):
    stopped = asyncio.Event()

    async def spell(request, context):
        try:
            while True:
                await context.write(EchoResponse(text="more" * 1000))
        finally:
            stopped.set()

    async with streaming((await echo(spell=spell)).Spell(EchoRequest())) as messages:
        await messages.read()
    async with asyncio.timeout(5):
        await stopped.wait()


async def test_context_callbacks_run_when_the_servicer_has_ended(echo):
    seen = []
    ended = asyncio.Event()

    async def say(request, context):
        context.add_done_callback(seen.append)
        context.add_done_callback(lambda _: ended.set())
        assert not context.done()
        assert not context.cancelled()
        return EchoResponse()

    await (await echo(say=say)).Say(EchoRequest())
    async with asyncio.timeout(5):
        await ended.wait()
    assert len(seen) == 1
    assert seen[0].done()


async def test_a_plain_function_may_return_the_stream(echo):
    async def letters(text):
        for letter in text:
            yield EchoResponse(text=letter)

    def spell(request, context):
        return letters(request.text)

    call = (await echo(spell=spell)).Spell(EchoRequest(text="abc"))
    assert [message.text async for message in call] == ["a", "b", "c"]


async def test_a_coroutine_may_return_the_stream(echo):
    stopped = asyncio.Event()

    async def letters(text):
        try:
            for letter in text:
                yield EchoResponse(text=letter)
            if text == "endless":
                await asyncio.Event().wait()
        finally:
            stopped.set()

    async def spell(request, context):
        await asyncio.sleep(0)
        if not request.text:
            await context.abort(StatusCode.INVALID_ARGUMENT, "nothing to spell")
        return letters(request.text)

    stub = await echo(spell=spell)
    assert [message.text async for message in stub.Spell(EchoRequest(text="abc"))] == ["a", "b", "c"]
    stopped.clear()
    async with streaming(stub.Spell(EchoRequest(text="endless"))) as messages:
        await messages.read()
    async with asyncio.timeout(5):
        await stopped.wait()
    assert await stub.Spell(EchoRequest()).code() is StatusCode.INVALID_ARGUMENT


async def test_a_servicer_starts_without_the_callers_context(echo):
    """Only metadata crosses over, in process too."""
    from contextvars import ContextVar

    ambient = ContextVar("ambient", default="nothing")
    seen = []

    async def say(request, context):
        seen.append(ambient.get())
        return EchoResponse()

    stub = await echo(say=say)
    ambient.set("leaked")
    await stub.Say(EchoRequest())
    assert seen == ["nothing"]


async def test_what_is_not_served_here_is_answered_without_a_log(echo, caplog):
    stub = await echo()
    with caplog.at_level(logging.WARNING):
        failure = await failure_of(stub.Say(EchoRequest()))
    assert failure.code() is StatusCode.UNIMPLEMENTED
    assert failure.details() == "/hector.testing.echo.v1.Echo/Say is not implemented here"
    assert caplog.records == []
