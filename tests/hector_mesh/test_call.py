"""What travels with a call, and what ends with it."""

import asyncio
import contextvars
import time

import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector_mesh import Call, Mesh, Principal, current_call, scope, streaming

ADA = Principal("ada@example.org", frozenset({"admin", "operator"}))
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Back(EchoServicer):
    """The service behind: remembers the calls it served."""

    def __init__(self):
        self.seen = []
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()

    async def Say(self, request, context):
        self.seen.append(current_call.get())
        return EchoResponse(text=request.text)

    async def Spell(self, request, context):
        self.seen.append(current_call.get())
        try:
            self.started.set()
            while True:
                yield EchoResponse(text="more" * 100)
                await asyncio.sleep(0)
        finally:
            self.stopped.set()


class Front(EchoServicer):
    """The service in front: asks the one behind, in the ways that can go wrong."""

    def __init__(self, mesh):
        self.seen = []
        self.mesh = mesh
        self.back = renamed(mesh)

    async def Say(self, request, context):
        self.seen.append(current_call.get())
        if request.text == "careless":
            async for _ in self.back.Spell(EchoRequest()):
                break
            return EchoResponse(text="done")
        if request.text == "patient":
            await self.back.Say(EchoRequest(), timeout=1000)
            return EchoResponse()
        if request.text == "fails":
            await self.back.Spell(EchoRequest()).read()
            message = "with a stream still open"
            raise ValueError(message)
        return await self.back.Say(request)

    async def Spell(self, request, context):
        self.seen.append(current_call.get())
        async with streaming(self.back.Spell(request)) as messages:
            async for message in messages:
                yield message


class Renamed:
    """Another name for the one contract the tests have, so that there can be two services of it."""

    def __init__(self, mesh):
        self.mesh = mesh

    def unary_unary(self, method, *coders, **more):
        return self.mesh.unary_unary(
            method.replace("hector.testing.echo.v1.Echo", "back"), *coders.__iter__(), **more
        )

    def unary_stream(self, method, *coders, **more):
        return self.mesh.unary_stream(method.replace("hector.testing.echo.v1.Echo", "back"), *coders, **more)


def renamed(mesh):
    return EchoStub(Renamed(mesh))


@pytest.fixture
def back():
    return Back()


@pytest.fixture
async def front(mesh_under_test, back):
    """The front service; the mesh reaches it under the contract's name, and the one behind as "back"."""
    await mesh_under_test.serve(lambda server: add_EchoServicer_to_server(back, server))
    routes = mesh_under_test.routes
    routes["back"] = Unrenamed(routes.pop("hector.testing.echo.v1.Echo"))
    servicer = Front(mesh_under_test.mesh)
    await mesh_under_test.serve(lambda server: add_EchoServicer_to_server(servicer, server))
    return servicer


class Unrenamed:
    def __init__(self, channel):
        self.channel = channel

    def unary_unary(self, method, *coders, **more):
        return self.channel.unary_unary(
            method.replace("back", "hector.testing.echo.v1.Echo"), *coders, **more
        )

    def unary_stream(self, method, *coders, **more):
        return self.channel.unary_stream(
            method.replace("back", "hector.testing.echo.v1.Echo"), *coders, **more
        )


@pytest.fixture
def stub(mesh_under_test, front):
    return EchoStub(mesh_under_test.mesh)


async def test_everything_about_a_call_passes_on_to_its_children(stub, front, back):
    call = Call(ADA, "acme", time.monotonic() + 50, TRACE, "req-1", "", "r3", ("one", "two"))
    with scope(call):
        await stub.Say(EchoRequest())
    for seen in (front.seen[0], back.seen[0]):
        assert (seen.principal, seen.app) == (ADA, "acme")
        assert (seen.traceparent, seen.request_id, seen.revision) == (TRACE, "req-1", "r3")
        assert seen.documents == ("one", "two")
        assert 45 < seen.deadline - time.monotonic() < 50.5


async def test_a_call_without_a_scope_is_nobodys(stub, back):
    await stub.Say(EchoRequest())
    (seen,) = back.seen
    assert seen.principal == Principal()
    assert (seen.app, seen.traceparent, seen.request_id, seen.instance, seen.revision) == (
        "default",
        "",
        "",
        "",
        "",
    )


async def test_the_instance_is_for_one_call_and_not_for_its_children(mesh_under_test, front, back):
    with scope(Call(instance="agents.first")):
        await EchoStub(mesh_under_test.mesh.at("llms.fast")).Say(EchoRequest())
    assert front.seen[0].instance == "llms.fast"
    assert back.seen[0].instance == ""


async def test_a_mesh_at_an_instance_leaves_the_mesh_alone(mesh_under_test, front):
    mesh_under_test.mesh.at("llms.fast").at("llms.slow")
    await EchoStub(mesh_under_test.mesh).Say(EchoRequest())
    assert front.seen[0].instance == ""


@pytest.mark.parametrize(
    "text", ["größer ☂", "a%b", "100%", "%41", " spaced ", "line\nbreak", "a,b", "\x00", "日本", "plain"]
)
async def test_any_text_survives_the_way(stub, back, text):
    principal = Principal(text, frozenset({text, "user"}))
    with scope(Call(principal, app=text, request_id=text, revision=text)):
        await stub.Say(EchoRequest())
    (seen,) = back.seen
    assert seen.principal == principal
    assert (seen.app, seen.request_id, seen.revision) == (text, text, text)


@pytest.mark.parametrize("documents", [None, (), ("one",), ("a,b", "größer ☂", "none")])
async def test_what_may_be_searched_survives_the_way(stub, back, documents):
    with scope(Call(documents=documents)):
        await stub.Say(EchoRequest())
    assert back.seen[0].documents == documents


async def test_a_child_has_no_more_time_than_its_parent(stub, back):
    with scope(Call(deadline=time.monotonic() + 20)):
        await stub.Say(EchoRequest(text="patient"))
    assert back.seen[0].deadline - time.monotonic() < 20.5


async def test_a_call_may_have_less_time_than_its_parent(stub, back):
    with scope(Call(deadline=time.monotonic() + 500)):
        await stub.Say(EchoRequest(), timeout=10)
    assert back.seen[0].deadline - time.monotonic() < 10.5


async def test_a_parent_without_time_left_calls_nobody(stub):
    with scope(Call(deadline=time.monotonic() - 1)), pytest.raises(AioRpcError) as failure:
        await stub.Say(EchoRequest())
    assert failure.value.code() is StatusCode.DEADLINE_EXCEEDED


async def test_every_call_has_a_deadline(mesh_under_test, stub, front):
    await stub.Say(EchoRequest())
    assert 550 < front.seen[0].deadline - time.monotonic() < 601
    short = EchoStub(Mesh(mesh_under_test.routes, default_timeout_s=30).at("x"))
    await short.Say(EchoRequest())
    assert 20 < front.seen[1].deadline - time.monotonic() < 31


@pytest.mark.parametrize("seconds", [1e9, 1e12, 1e18])
async def test_a_deadline_in_centuries_is_one_in_a_year(stub, back, seconds):
    with scope(Call(deadline=time.monotonic() + seconds)):
        await stub.Say(EchoRequest(), timeout=seconds)
    assert 300 < (back.seen[0].deadline - time.monotonic()) / 86_400 < 380


async def test_leaving_a_scope_stops_what_it_started(stub, back):
    with scope(Call(ADA)):
        await anext(aiter(stub.Spell(EchoRequest())))
    async with asyncio.timeout(5):
        await back.stopped.wait()


async def test_a_scope_that_is_left_from_elsewhere_stops_what_it_started(stub, back):
    """Ours: the event loop closes a generator that nobody reads on, in a context of its own."""

    async def read():
        with scope(Call(ADA)):
            async for message in stub.Spell(EchoRequest()):
                yield message

    reading = read()
    await anext(reading)
    await asyncio.get_running_loop().create_task(reading.aclose(), context=contextvars.Context())
    async with asyncio.timeout(5):
        await back.stopped.wait()


async def test_a_careless_servicer_cannot_leak_a_stream(stub, back):
    assert (await stub.Say(EchoRequest(text="careless"))).text == "done"
    async with asyncio.timeout(5):
        await back.stopped.wait()


async def test_a_failing_servicer_cannot_leak_a_stream(stub, back, caplog):
    with pytest.raises(AioRpcError):
        await stub.Say(EchoRequest(text="fails"))
    async with asyncio.timeout(5):
        await back.stopped.wait()


async def test_leaving_a_stream_stops_both_servicers(stub, back):
    async with streaming(stub.Spell(EchoRequest())) as messages:
        await anext(aiter(messages))
    async with asyncio.timeout(5):
        await back.stopped.wait()


async def test_a_deadline_stops_both_servicers(stub, back):
    async def read():
        async for _ in stub.Spell(EchoRequest(), timeout=0.3):
            pass

    with pytest.raises(AioRpcError) as failure:
        await read()
    assert failure.value.code() is StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(5):
        await back.stopped.wait()


async def test_finished_children_are_forgotten(stub):
    with scope(Call(ADA)) as call:
        for _ in range(3):
            await stub.Say(EchoRequest())
        assert call.children == set()


def test_a_scope_ends_with_its_block():
    with scope(Call(ADA)):
        with scope(Call(request_id="inner")):
            assert current_call.get().request_id == "inner"
        assert current_call.get().principal == ADA
    assert current_call.get() == Call()
