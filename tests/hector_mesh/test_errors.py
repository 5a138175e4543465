"""How a servicer's failure reaches its caller: with its reason, and without what is none of its business."""

import asyncio
import logging

import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector_mesh import Call, HectorError, info_of, scope, status_of
from hector_mesh.status import Status

pytestmark = pytest.mark.usefixtures("with_and_without_tracing")


class ModelNotFound(HectorError):
    code = StatusCode.NOT_FOUND
    reason = "MODEL_NOT_FOUND"


class Foreign(HectorError):
    code = StatusCode.FAILED_PRECONDITION
    reason = "TASK_NOT_CANCELABLE"
    domain = "a2a-protocol.org"


class Failing(EchoServicer):
    async def Say(self, request, context):
        match request.text:
            case "absent":
                raise ModelNotFound("no model named 'absent' (configured: fast)", model="absent", tries=2)
            case "foreign":
                raise Foreign("too late", task="t1")
            case "umlaut":
                raise ModelNotFound("kein Modell namens „größer“ ☂", model="größer ☂")
            case "long":
                raise ModelNotFound("x" * 100_000)
            case "bug":
                raise ValueError("password=hunter2")
            case "own timeout":
                raise TimeoutError("the provider's, not ours")
            case "own cancellation":
                raise asyncio.CancelledError
            case "group":
                raise ExceptionGroup("several", [ModelNotFound("a"), ValueError("b")])
            case "side by side":
                raise ExceptionGroup(
                    "several", [ExceptionGroup("of several", [ModelNotFound("a")]), Foreign("b")]
                )
            case "nothing":
                return None
        return EchoResponse(text="ok")

    async def Spell(self, request, context):
        for letter in "ab":
            yield EchoResponse(text=letter)
        await self.Say(request, context)


class Passing(EchoServicer):
    """Asks the one behind it, and leaves its failures alone."""

    def __init__(self, mesh):
        self.behind = mesh

    async def Say(self, request, context):
        call = self.behind.unary_unary("/behind/Say", EchoRequest.SerializeToString, EchoResponse.FromString)
        return await call(request)

    async def Spell(self, request, context):
        call = self.behind.unary_stream(
            "/behind/Spell", EchoRequest.SerializeToString, EchoResponse.FromString
        )
        async for message in call(request):
            yield message


def behind(server):
    """Register the failing servicer a second time, as a service of another name."""
    servicer = Failing()

    class Renaming:
        def add_generic_rpc_handlers(self, handlers):
            server.add_generic_rpc_handlers(tuple(map(Renamed, handlers)))

        def add_registered_method_handlers(self, _, handlers):
            server.add_registered_method_handlers("behind", handlers)

    class Renamed:
        def __init__(self, handler):
            self.handler = handler

        def service(self, details):
            found = [details.method.replace("/behind/", "/hector.testing.echo.v1.Echo/")]
            return self.handler.service(type("Details", (), {"method": found[0]})())

    add_EchoServicer_to_server(servicer, Renaming())


@pytest.fixture(params=["one hop", "two hops"])
async def echo(request, mesh_under_test):
    if request.param == "one hop":
        await mesh_under_test.serve(lambda server: add_EchoServicer_to_server(Failing(), server))
    else:
        await mesh_under_test.serve(behind)
        await mesh_under_test.serve(
            lambda server: add_EchoServicer_to_server(Passing(mesh_under_test.mesh), server)
        )
    return EchoStub(mesh_under_test.mesh)


async def failure_of(awaitable):
    with pytest.raises(AioRpcError) as failure:
        async with asyncio.timeout(5):
            await awaitable
    return failure.value


async def test_an_error_arrives_with_code_text_reason_and_facts(echo):
    failure = await failure_of(echo.Say(EchoRequest(text="absent")))
    assert failure.code() is StatusCode.NOT_FOUND
    assert failure.details() == "no model named 'absent' (configured: fast)"
    info = info_of(failure)
    assert (info.reason, info.domain) == ("MODEL_NOT_FOUND", "hector")
    assert dict(info.metadata) == {"model": "absent", "tries": "2"}


async def test_an_error_may_be_of_another_domain(echo):
    info = info_of(await failure_of(echo.Say(EchoRequest(text="foreign"))))
    assert (info.reason, info.domain) == ("TASK_NOT_CANCELABLE", "a2a-protocol.org")


async def test_an_errors_text_survives_in_any_script(echo):
    failure = await failure_of(echo.Say(EchoRequest(text="umlaut")))
    assert failure.details() == "kein Modell namens „größer“ ☂"
    assert info_of(failure).metadata["model"] == "größer ☂"


async def test_failures_side_by_side_answer_with_the_first_of_them(echo):
    failure = await failure_of(echo.Say(EchoRequest(text="side by side")))
    assert (failure.code(), failure.details()) == (StatusCode.NOT_FOUND, "a")


async def test_garbage_is_refused_without_a_log(mesh_under_test, echo, caplog):
    for shape, name in (("unary_unary", "Say"), ("unary_stream", "Spell")):
        start = getattr(mesh_under_test.mesh, shape)(f"/hector.testing.echo.v1.Echo/{name}", bytes, bytes)
        call = start(b"\xff\xff garbage")
        failure = await failure_of(call if shape == "unary_unary" else call.read())
        assert failure.code() is StatusCode.INVALID_ARGUMENT
        assert info_of(failure).reason == "UNREADABLE_REQUEST"
    assert caplog.records == []


async def test_a_very_long_error_is_cut_and_still_arrives(echo):
    failure = await failure_of(echo.Say(EchoRequest(text="long")))
    assert failure.code() is StatusCode.NOT_FOUND
    assert info_of(failure).reason == "MODEL_NOT_FOUND"
    assert 1000 < len(failure.details()) < 10_000
    assert failure.details().startswith("xxx")


async def test_an_error_in_mid_stream_keeps_the_messages_before_it(echo):
    got = []

    async def read():
        async for message in echo.Spell(EchoRequest(text="absent")):
            got.append(message.text)

    failure = await failure_of(read())
    assert got == ["a", "b"]
    assert info_of(failure).reason == "MODEL_NOT_FOUND"


@pytest.mark.parametrize("text", ["bug", "own timeout", "group", "nothing"])
async def test_a_bug_is_logged_once_and_tells_the_caller_nothing(echo, text, caplog):
    with scope(Call(request_id="req-7")), caplog.at_level(logging.INFO):
        failure = await failure_of(echo.Say(EchoRequest(text=text)))
    assert failure.code() is StatusCode.INTERNAL
    assert failure.details().startswith("an unexpected error; logged as req-7: ask again, or report it")
    info = info_of(failure)
    assert (info.reason, dict(info.metadata)) == ("INTERNAL", {"request_id": "req-7"})
    assert "hunter2" not in str(failure.trailing_metadata())
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert record.request_id == "req-7"
    assert record.rpc.endswith("/Say")


async def test_a_bug_in_a_call_without_a_request_id_gets_one(echo, caplog):
    failure = await failure_of(echo.Say(EchoRequest(text="bug")))
    (record,) = caplog.records
    assert record.request_id
    assert f"logged as {record.request_id}:" in failure.details()


async def test_a_bug_in_mid_stream_is_an_internal_error(echo, caplog):
    async def read():
        async for _ in echo.Spell(EchoRequest(text="bug")):
            pass

    failure = await failure_of(read())
    assert failure.code() is StatusCode.INTERNAL
    assert len(caplog.records) == 1


async def test_a_cancellation_that_nobody_asked_for_ends_the_call(echo):
    """grpc sends no status for it: without us the caller would wait for its whole deadline."""
    failure = await failure_of(echo.Say(EchoRequest(text="own cancellation")))
    assert failure.code() is StatusCode.CANCELLED
    assert info_of(failure).reason == "CANCELLED_INSIDE"


async def test_a_servicer_that_failed_serves_on(echo, caplog):
    await failure_of(echo.Say(EchoRequest(text="bug")))
    assert (await echo.Say(EchoRequest())).text == "ok"


def test_status_and_info_of_an_error_at_home():
    error = ModelNotFound("no model", model="x")
    assert status_of(error).code == StatusCode.NOT_FOUND.value[0]
    assert status_of(error).message == "no model"
    assert info_of(error).reason == "MODEL_NOT_FOUND"


def test_info_of_a_failure_without_details_is_empty():
    from grpc.aio import Metadata

    for trailers in (Metadata(), Metadata(("grpc-status-details-bin", b"\xff not a status")), None):
        error = AioRpcError(StatusCode.UNAVAILABLE, Metadata(), trailers, "gone")
        assert info_of(error).reason == ""
        assert status_of(error) == Status(code=StatusCode.UNAVAILABLE.value[0], message="gone")
