"""Health, with grpc's own stub for the other side; and grpc's own servicers, which nobody wrote for us."""

import asyncio

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from hector_mesh import Health, streaming, wire_server
from hector_mesh.health_contract import HealthCheckRequest, HealthStub
from hector_mesh.wire_pb2 import HealthListRequest, HealthListResponse

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
NAME = "grpc.health.v1.Health"


def ask(service=""):
    return health_pb2.HealthCheckRequest(service=service)


@pytest.fixture
def servicer():
    return health.aio.HealthServicer()


@pytest.fixture
async def stub(mesh_under_test, servicer):
    await mesh_under_test.serve(lambda server: health_pb2_grpc.add_HealthServicer_to_server(servicer, server))
    return health_pb2_grpc.HealthStub(mesh_under_test.mesh)


async def test_grpcs_servicer_answers_a_check(stub, servicer):
    assert (await stub.Check(ask())).status == SERVING
    await servicer.set("a.B", NOT_SERVING)
    assert (await stub.Check(ask("a.B"))).status == NOT_SERVING


async def test_grpcs_servicer_knows_what_it_does_not_know(stub):
    with pytest.raises(AioRpcError) as failure:
        await stub.Check(ask("no.Such"))
    assert failure.value.code() is StatusCode.NOT_FOUND


async def test_grpcs_servicer_can_be_watched(stub, servicer):
    async with asyncio.timeout(5), streaming(stub.Watch(ask("a.B"))) as changes:
        assert (await changes.read()).status == SERVICE_UNKNOWN
        await servicer.set("a.B", SERVING)
        assert (await changes.read()).status == SERVING
        await servicer.set("a.B", NOT_SERVING)
        assert (await changes.read()).status == NOT_SERVING


async def test_a_watcher_that_leaves_is_forgotten(stub, servicer):
    async with asyncio.timeout(5):
        async with streaming(stub.Watch(ask("a.B"))) as changes:
            await changes.read()
            assert "a.B" in servicer._server_watchers
        while "a.B" in servicer._server_watchers:  # noqa: ASYNC110  grpc's servicer tells nobody
            await asyncio.sleep(0.01)


async def test_reflection_registers_beside_it(mesh_under_test, servicer):
    def register(server):
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        if mesh_under_test.transport == "local":  # wire servers have it already
            reflection.enable_server_reflection((NAME, reflection.SERVICE_NAME), server)

    await mesh_under_test.serve(register)
    stub = health_pb2_grpc.HealthStub(mesh_under_test.mesh)
    assert (await stub.Check(ask())).status == SERVING


@pytest.fixture
async def ours(mesh_under_test):
    report = Health(["a.B", "c.D"])
    await mesh_under_test.serve(report.register)
    return report, health_pb2_grpc.HealthStub(mesh_under_test.mesh)


async def test_a_process_is_healthy_when_all_its_services_are(ours):
    report, stub = ours
    assert (await stub.Check(ask())).status == NOT_SERVING
    await report.set("a.B", serving=True)
    assert (await stub.Check(ask("a.B"))).status == SERVING
    assert (await stub.Check(ask("c.D"))).status == NOT_SERVING
    assert (await stub.Check(ask())).status == NOT_SERVING
    await report.set("c.D", serving=True)
    assert (await stub.Check(ask())).status == SERVING
    assert report.serving()


async def test_who_leaves_says_so_and_lets_its_watchers_go(ours):
    report, stub = ours
    await report.set("a.B", serving=True)
    async with asyncio.timeout(5), streaming(stub.Watch(ask("a.B"))) as changes:
        assert (await changes.read()).status == SERVING
        await report.leave()
        async for change in changes_after(changes):
            assert change.status == NOT_SERVING
    assert (await stub.Check(ask("a.B"))).status == NOT_SERVING
    await report.set("a.B", serving=True)
    assert (await stub.Check(ask("a.B"))).status == NOT_SERVING


async def changes_after(call):
    from grpc.aio import EOF

    while (change := await call.read()) is not EOF:
        yield change


async def test_nobody_waits_for_a_watcher_to_leave(ours):
    report, stub = ours
    call = stub.Watch(ask("a.B"))
    await call.read()
    await report.leave()
    async with asyncio.timeout(5):
        async for change in changes_after(call):
            assert change.status == NOT_SERVING
        assert await call.code() is StatusCode.OK


async def test_what_is_not_known_here_is_not_found(ours):
    _, stub = ours
    with pytest.raises(AioRpcError) as failure:
        await stub.Check(ask("no.Such"))
    assert failure.value.code() is StatusCode.NOT_FOUND


async def test_what_is_not_known_yet_can_be_watched(ours):
    report, stub = ours
    async with asyncio.timeout(5), streaming(stub.Watch(ask("database"))) as changes:
        assert (await changes.read()).status == SERVICE_UNKNOWN
        await report.note("database", well=True)
        assert (await changes.read()).status == SERVING
        await report.set("a.B", serving=True)  # changes nothing that is watched here
        await report.note("database", well=False)
        assert (await changes.read()).status == NOT_SERVING


async def test_whoever_watches_hears_of_a_change_that_came_while_it_was_told_of_another(ours):
    report, stub = ours
    async with asyncio.timeout(5), streaming(stub.Watch(ask("a.B"))) as changes:
        for serving in (True, False, True):
            await report.set("a.B", serving)
        last = NOT_SERVING
        while last != SERVING:
            last = (await changes.read()).status


async def test_whoever_stops_watching_is_forgotten(ours):
    report, stub = ours
    async with asyncio.timeout(5):
        async with streaming(stub.Watch(ask())) as changes:
            await changes.read()
            assert len(report._watchers) == 1
        while report._watchers:  # noqa: ASYNC110  nobody is told of it
            await asyncio.sleep(0.01)


async def test_all_that_is_known_can_be_listed(mesh_under_test, ours):
    report, _ = ours
    await report.set("a.B", serving=True)
    await report.note("database", well=False)
    method = mesh_under_test.mesh.unary_unary(
        f"/{NAME}/List", HealthListRequest.SerializeToString, HealthListResponse.FromString
    )
    found = await method(HealthListRequest(), timeout=5)
    assert {name: one.status for name, one in found.statuses.items()} == {
        "": NOT_SERVING,
        "a.B": SERVING,
        "c.D": NOT_SERVING,
        "database": NOT_SERVING,
    }


async def test_our_stub_asks_grpcs_servicer(mesh_under_test, stub, servicer):
    mine = HealthStub(mesh_under_test.mesh)
    assert (await mine.Check(HealthCheckRequest(), timeout=5)).status == SERVING
    async with asyncio.timeout(5), streaming(mine.Watch(HealthCheckRequest(service="a.B"))) as changes:
        assert (await changes.read()).status == SERVICE_UNKNOWN
        await servicer.set("a.B", NOT_SERVING)
        assert (await changes.read()).status == NOT_SERVING


def asked_by_reflection(address):
    """Ask for health as grpcurl does: with JSON, and nothing but what reflection says."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        method = DescriptorPool(database).FindServiceByName(NAME).FindMethodByName("Check")
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        call = channel.unary_unary(f"/{NAME}/Check", request.SerializeToString, response.FromString)
        return database.get_services(), MessageToDict(call(ParseDict({"service": ""}, request()), timeout=5))


async def test_reflection_lists_and_describes_it():
    async with asyncio.timeout(10), wire_server("127.0.0.1:0", drain_s=0) as server:
        services, said = await asyncio.to_thread(asked_by_reflection, server.address)
    assert NAME in services
    assert said == {"status": "SERVING"}
