"""Ports that speak TLS, under clients that do not, or badly: nobody is held up, and the log stays calm."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from support.certificates import Authority
from support.victim import AGENT, Victim, hang_up, rpc, said, standing

import hector_a2a as a2a

HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(32)) + bytes(157)
GREETINGS = {
    "nothing": b"",
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "plain HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "half a hello": HELLO[:40],
    "a hello of nonsense": HELLO,
    "a hello of SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(36),
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "data before a hello": b"\x17\x03\x03\x00\x10" + bytes(16),
    "a record too long": b"\x16\x03\x01\xff\xff" + bytes(65535),
    "NULs": bytes(10_000),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with standing(tmp_path_factory.mktemp("victim"), authority=authority) as found:
        yield found


@pytest.fixture
async def victim(server: Victim, authority: Authority) -> AsyncIterator[Victim]:
    await answers(server, authority)
    before, tasks = server.held(), await server.count()
    yield server
    await answers(server, authority)
    await server.lets_go(before, tasks)
    server.check_log()


@pytest.mark.parametrize("what", GREETINGS)
async def test_what_is_no_tls_ends_the_connection(victim: Victim, what: str) -> None:
    for port in (victim.port, victim.grpc_port):
        await asyncio.gather(*(greet(port, GREETINGS[what]) for _ in range(10)))


@pytest.mark.parametrize("seed", range(2))
async def test_random_bytes_end_the_connection(victim: Victim, seed: int) -> None:
    dice = random.Random(seed)
    for port in (victim.port, victim.grpc_port):
        some = [(HELLO[:11] if seed else b"") + dice.randbytes(dice.randrange(2000)) for _ in range(40)]
        await asyncio.gather(*(greet(port, data) for data in some))


async def test_a_handshake_that_is_left_open_is_given_up(victim: Victim) -> None:
    """server.limits.header_timeout holds from the first byte on."""
    lines = [await asyncio.open_connection("127.0.0.1", victim.port) for _ in range(50)]
    for _, writer in lines:
        writer.write(HELLO[:30])
    await victim.is_well()
    async with asyncio.timeout(10):
        for reader, writer in lines:
            while await reader.read(65536):
                pass
            await hang_up(writer)


async def test_a_client_that_trusts_somebody_else_does_no_harm(victim: Victim) -> None:
    for _ in range(10):
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(
                "127.0.0.1", victim.port, ssl=ssl.create_default_context(), server_hostname="localhost"
            )


async def test_a_line_that_is_cut_in_mid_answer_does_no_harm(victim: Victim) -> None:
    for _ in range(20):
        reader, writer = await victim.connect()
        writer.write(rpc("SendStreamingMessage", said("endless " * 100)))
        await reader.readuntil(b"data: ")
        writer.transport.abort()


async def greet(port: int, data: bytes) -> None:
    """Send this and go, unless the server hangs up first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        async with asyncio.timeout(0.3):
            while await reader.read(65536):
                pass
    except (TimeoutError, ConnectionError):
        pass
    finally:
        await hang_up(writer)


async def answers(victim: Victim, authority: Authority) -> None:
    """Fail unless both ports serve whoever speaks TLS."""
    await victim.is_well()
    trusting = grpc.ssl_channel_credentials(authority.file.read_bytes())
    async with grpc.aio.secure_channel(f"localhost:{victim.grpc_port}", trusting) as line:
        request = a2a.SendMessageRequest(tenant=AGENT)
        request.message.message_id, request.message.role = "m", a2a.ROLE_USER
        request.message.parts.add(text="hello")
        answer = await a2a.A2AServiceStub(line).SendMessage(request, timeout=20)
    assert answer.task.status.state == a2a.TASK_STATE_COMPLETED
