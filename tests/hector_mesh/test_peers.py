"""Processes of one role find each other by address: one channel for all who call, closed when nobody does."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import grpc
import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc.aio import AioRpcError

import hector_mesh.peers
from hector_mesh import HectorError, LocalChannel, LocalServer, Mesh, wire_channel, wire_server
from hector_mesh.peers import Peers

ECHO = "hector.testing.echo.v1.Echo"


class Echo(EchoServicer):
    async def Say(self, request, context):
        return EchoResponse(text=request.text)


@pytest.fixture
async def target():
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    server = wire_server(f"unix:{folder}/peer.sock", token="secret")
    add_EchoServicer_to_server(Echo(), server)
    async with server, asyncio.timeout(30):
        yield server.address
    shutil.rmtree(folder, ignore_errors=True)


class Dialled:
    """Dials as a process of the mesh does, and knows how often."""

    def __init__(self, token="secret"):
        self.targets, self.closed, self._token = [], asyncio.Event(), token

    def __call__(self, target):
        self.targets.append(target)
        channel = wire_channel(target, token=self._token, role="agent")
        close = channel.close

        async def closed(grace=None):
            await close(grace)
            self.closed.set()

        channel.close = closed
        return channel


async def say(channel, text="hi"):
    return (await EchoStub(Mesh({ECHO: channel})).Say(EchoRequest(text=text))).text


async def test_all_who_call_one_address_share_a_channel(target):
    dialled = Dialled()
    peers = Peers(dialled)
    async with peers.channel(target) as one, peers.channel(target) as other:
        assert one is other
        assert await say(one) == "hi"
    async with peers.channel(target) as again:
        assert again is one
    assert dialled.targets == [target]
    await peers.close()


async def test_a_channel_that_nobody_uses_is_closed_after_a_while(target, monkeypatch):
    monkeypatch.setattr(hector_mesh.peers, "IDLE_S", 0.01)
    dialled = Dialled()
    peers = Peers(dialled)
    async with peers.channel(target) as channel:
        assert await say(channel) == "hi"
    async with asyncio.timeout(5):
        await dialled.closed.wait()
    async with peers.channel(target) as channel:
        assert await say(channel) == "hi"
    assert len(dialled.targets) == 2
    await peers.close()


async def test_whoever_does_not_know_the_meshs_token_is_a_stranger_to_a_peer(target):
    peers = Peers(Dialled(token="another"))
    async with peers.channel(target) as channel:
        with pytest.raises(AioRpcError) as refused:
            await say(channel)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    await peers.close()


async def test_a_server_of_this_process_is_called_without_a_socket():
    server = LocalServer()
    add_EchoServicer_to_server(Echo(), server)
    peers = Peers(Dialled(), known={"local:one": LocalChannel(server)})
    async with peers.channel("local:one") as channel:
        assert await say(channel) == "hi"
    await peers.close()
    await server.stop(None)


async def test_what_is_no_address_is_refused_before_anything_is_dialled():
    peers = Peers()
    with pytest.raises(HectorError, match="cannot dial"):
        async with peers.channel("http://somewhere"):
            pass
    await peers.close()
