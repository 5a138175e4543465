"""Where a process is, and who can dial it."""

import asyncio
import socket

import pytest
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hector_mesh import can_dial, this_host, wire_channel, wire_server
from hector_mesh.addresses import CannotListen
from hector_mesh.whereabouts import is_everywhere, stays_on_host


@pytest.mark.parametrize(
    ("target", "stays"),
    [
        ("unix:/run/1.sock", True),
        ("127.0.0.1:7010", True),
        ("dns:///localhost:7010", True),
        ("[::1]:7010", True),
        ("10.0.0.5:7010", False),
        ("dns:///agent-1:7010", False),
    ],
)
def test_what_stays_on_a_machine_is_dialled_from_there_only(target: str, stays: bool) -> None:
    assert stays_on_host(target) == stays
    assert can_dial(target, this_host())
    assert can_dial(target, "another-machine") != stays


def test_nobody_dials_who_advertises_nothing() -> None:
    assert not can_dial("", this_host())


@pytest.mark.parametrize(
    ("listen", "everywhere"),
    [("0.0.0.0:7010", True), ("[::]:7010", True), ("10.0.0.5:7010", False), ("unix:/run/a.sock", False)],
)
def test_every_address_of_a_machine_tells_nobody_where_to_dial(listen: str, everywhere: bool) -> None:
    assert is_everywhere(listen) == everywhere


async def test_a_bound_server_knows_its_port_and_answers_once_it_is_started() -> None:
    server = wire_server("127.0.0.1:0", drain_s=0)
    server.bind()
    assert not server.address.endswith(":0")
    async with asyncio.timeout(10), wire_channel(server.address) as channel:
        asked = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        async with server:
            assert (await asked).status == health_pb2.HealthCheckResponse.SERVING


async def test_a_port_is_shared_with_those_who_want_to_and_nobody_else() -> None:
    async with asyncio.timeout(10):
        first = wire_server("127.0.0.1:0", drain_s=0, reuse_port=True)
        async with first:
            second = wire_server(first.address, drain_s=0, reuse_port=True)
            async with second:
                assert second.address == first.address
            with pytest.raises(CannotListen):
                await wire_server(first.address, drain_s=0).start()
            with socket.socket() as other, pytest.raises(OSError):  # noqa: PT011  # the system's own words
                other.bind(("127.0.0.1", int(first.address.rpartition(":")[2])))


async def test_a_patient_call_waits_for_who_is_about_to_be_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Ours: a worker that is started again is missed by nobody. Health is told at once."""
    place = f"unix:{tmp_path_factory.mktemp('p')}/a.sock"
    method = "/grpc.reflection.v1alpha.ServerReflection/None"
    async with asyncio.timeout(20), wire_channel(place, patient=True) as channel:
        with pytest.raises(AioRpcError, match="UNAVAILABLE"):
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        asked = asyncio.ensure_future(channel.unary_unary(method, bytes, bytes)(b"", timeout=15))
        await asyncio.wait([asked], timeout=0.2)
        assert not asked.done()
        async with wire_server(place, drain_s=0):
            with pytest.raises(AioRpcError, match="UNIMPLEMENTED"):
                await asked
