"""grpc's own health and reflection servicers, which nobody wrote for us, on both transports."""

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from hector_mesh import Health, streaming

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
