"""Connections that no client should make: odd bytes, slow ones, too many, and ones that vanish."""

import asyncio
import json
import random
import socket
import struct
from typing import Any

import pytest
from support.victim import AGENT, Victim, check_decent, post, rpc, said

HOST = b"Host: localhost\r\n"
GET = b"GET /agents HTTP/1.1\r\n" + HOST
POST = b"POST /agents/victim HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nA2A-Version: 1.0\r\n"

CHUNKED = b"Transfer-Encoding: chunked\r\n"

ODD = {
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/0.9 with headers": b"GET /agents\r\nHost: localhost\r\n\r\n",
    "HTTP/1.0": b"GET /agents HTTP/1.0\r\n\r\n",
    "HTTP/1.0 without a length": b"POST /agents/victim HTTP/1.0\r\nContent-Type: application/json\r\n\r\n{}",
    "HTTP/3.0": b"GET / HTTP/3.0\r\n\r\n",
    "HTTP/-1": b"GET / HTTP/-1\r\n\r\n",
    "no host": b"GET /agents HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /agents HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "an absolute address": b"GET http://localhost/agents HTTP/1.1\r\n" + HOST + b"\r\n",
    "somebody else's address": b"GET http://169.254.169.254/latest HTTP/1.1\r\n" + HOST + b"\r\n",
    "a host only": b"GET localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an address of a file": b"GET file:///etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "bad percents": b"GET /agents/%?%=%zz&%u0041=%f HTTP/1.1\r\n" + HOST + b"\r\n",
    "percents that are no text": b"GET /agents/%ff%fe%c0%80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in a path": b"GET /agents/victim/tasks/%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "raw NUL in a path": b"GET /agents/\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in a header": GET + b"X-A: a\x00b\r\n\r\n",
    "up and out": b"GET /agents/../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "up and out, hidden": b"GET /agents/victim/tasks/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + HOST + b"\r\n",
    "up and out, twice hidden": b"GET /agents/%252e%252e%252fetc HTTP/1.1\r\n" + HOST + b"\r\n",
    "backwards": b"GET /agents/..\\..\\windows HTTP/1.1\r\n" + HOST + b"\r\n",
    "a verb without end": b"A" * 100_000 + b" / HTTP/1.1\r\n\r\n",
    "a path without end": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "many steps": b"GET " + b"/a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "many parameters": b"GET /agents/victim/tasks?" + b"a=1&" * 10_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header without end": GET + b"X-A: " + b"a" * 1_000_000,
    "ten thousand headers": GET + b"X-A: 1\r\n" * 10_000 + b"\r\n",
    "a header without a name": GET + b": x\r\n\r\n",
    "a header without a colon": GET + b"nothing\r\n\r\n",
    "space before a colon": GET + b"Content-Length : 5\r\n\r\nhello",
    "a folded header": GET + b"X-A: a\r\n b\r\n\r\n",
    "line feeds only": b"GET /agents HTTP/1.1\nHost: localhost\n\n",
    "carriage returns only": b"GET /agents HTTP/1.1\rHost: localhost\r\r",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\n\x1f\x8b",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length in hex": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length with a plus": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length beyond all": POST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "a chunk without a size": POST + CHUNKED + b"\r\n\r\n{}\r\n",
    "a negative chunk": POST + CHUNKED + b"\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk beyond all": POST + CHUNKED + b"\r\nfffffffffffffffff\r\n",
    "a chunk with extras": POST + CHUNKED + b"\r\n2;" + b"a=b;" * 50_000 + b"\r\n{}\r\n0\r\n\r\n",
    "many trailers": POST + CHUNKED + b"\r\n0\r\n" + b"X-A: 1\r\n" * 50_000 + b"\r\n",
    "an expectation": POST + b"Expect: the best\r\nContent-Length: 2\r\n\r\n{}",
    "an upgrade": GET + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 50,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "a proxy's greeting": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + GET + b"\r\n",
    "SMTP": b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.0\r\n",
    "empty lines": b"\r\n" * 5_000,
    "NULs": bytes(100_000),
    "a method nobody knows": b"BREW /agents HTTP/1.1\r\n" + HOST + b"\r\n",
    "TRACE": b"TRACE /agents HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "everything": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "odd credentials": GET + b"Authorization: \xff\xfe\r\n\r\n",
    "a version that is none": POST.replace(b"1.0\r\n", b"\xff\x00\r\n") + b"Content-Length: 2\r\n\r\n{}",
    "a place that is none": POST + b"Last-Event-ID: \xff'; DROP TABLE runs;\r\nContent-Length: 2\r\n\r\n{}",
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
async def test_odd_bytes_are_answered_or_the_line_is_cut(victim: Victim, what: str) -> None:
    await victim.say(ODD[what], within_s=5)


@pytest.mark.parametrize("seed", range(3))
async def test_random_bytes_are_answered_or_the_line_is_cut(victim: Victim, seed: int) -> None:
    dice = random.Random(seed)
    start = dice.choice([b"", b"GET ", POST])
    await asyncio.gather(*(victim.say(start + dice.randbytes(dice.randrange(1, 3000))) for _ in range(50)))


async def test_a_request_behind_garbage_is_not_served(victim: Victim) -> None:
    """Ours: what follows a broken request on the same connection may be somebody else's (smuggling)."""
    hidden = rpc("SendMessage", said("hidden"))
    for broken in ("two lengths", "a length and chunks", "a negative chunk", "a length with a plus"):
        for answer in await victim.say(ODD[broken] + hidden, answers=2):
            assert b"hidden" not in answer.body


async def test_requests_that_come_at_once_are_answered_in_order(victim: Victim) -> None:
    many = [rpc("SendMessage", said(f"n{number}")) for number in range(200)]
    answers = await victim.say(b"".join(many), answers=len(many))
    said_back = [one.json["result"]["task"]["artifacts"][0]["parts"][0]["text"] for one in answers]
    assert said_back == [f"n{number} " for number in range(200)]


async def test_garbage_behind_a_request_does_not_get_into_its_answer(victim: Victim) -> None:
    """Ours: the line is cut, or there is the whole answer first."""
    for garbage in (b"\x00" * 100, b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"x" * 200_000):
        for answer in (await victim.say(rpc("SendMessage", said("first")) + garbage, answers=2))[:1]:
            assert b"first" in answer.body


async def test_a_thousand_requests_whose_client_is_gone_cost_nothing(victim: Victim) -> None:
    _, writer = await victim.connect()
    writer.write(b"".join(rpc("SendMessage", said("nobody listens")) for _ in range(1000)))
    await writer.drain()
    cut(writer)


async def test_those_who_trickle_hold_up_nobody_and_are_cut(victim: Victim) -> None:
    """Slow-loris: a byte now and then, of headers or of a body."""
    head = b"POST /agents/victim HTTP/1.1\r\nX-Slow: " + b"a" * 5000
    body = POST + b"Content-Length: 5000\r\n\r\n" + b"{" * 5000

    async def trickle(request: bytes, from_: int) -> None:
        reader, writer = await victim.connect()
        writer.write(request[:from_])
        try:
            for byte in request[from_:]:
                writer.write(bytes([byte]))
                await writer.drain()
                try:
                    async with asyncio.timeout(0.05):
                        answer = await reader.read(65536)
                    assert b" 408 " in answer or not answer
                    return
                except TimeoutError:
                    pass
        except ConnectionError:
            return
        finally:
            writer.close()

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(trickle(head, 5))
            group.create_task(trickle(body, len(POST) + 25))
        for _ in range(20):
            await victim.is_well()


async def test_five_hundred_clients_that_vanish_leave_nothing_but_their_tasks(victim: Victim) -> None:
    """A2A 1.0: a client that goes cancels nothing; ours: it leaves nothing behind, however often it comes."""
    held = []
    for _ in range(3):
        tasks = await vanish(victim, 500)
        states = await victim.ask_all([rpc("GetTask", {"id": one}) for one in tasks])
        assert {one.json["result"]["status"]["state"] for one in states} == {"TASK_STATE_WORKING"}
        for answer in await victim.ask_all([rpc("CancelTask", {"id": one}) for one in tasks]):
            assert answer.json["result"]["status"]["state"] == "TASK_STATE_CANCELED"
        held.append(victim.held())
    assert held[2].memory_mb < held[1].memory_mb + 40, held
    assert held[2].descriptors <= held[0].descriptors + 5, held


async def vanish(victim: Victim, many: int) -> list[str]:
    """Begin streams over both HTTP bindings, and go in the middle of them; return their tasks."""
    clients, tasks = [], []
    try:
        for number in range(many):
            params: Any = said("on and on" if number % 50 == 0 else "wait")
            path = f"/agents/{AGENT}/message:stream"
            if number % 2:
                path = f"/agents/{AGENT}"
                params = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": params}
            reader, writer = await victim.connect()
            writer.write(post(path, json.dumps(params).encode()))
            clients.append((reader, writer))
        async with asyncio.timeout(60):
            for reader, _ in clients:
                await reader.readuntil(b"data: ")
                first = json.loads(await reader.readuntil(b"\n\n"))
                tasks.append(first.get("result", first)["task"]["id"])
    finally:
        for number, (_, writer) in enumerate(clients):
            cut(writer) if number % 4 < 2 else writer.close()
    return tasks


async def test_readers_that_do_not_read_are_given_up(victim: Victim) -> None:
    """Ours: what nobody takes is not kept for them; server.limits.send_timeout."""
    lines, ids = [], []
    for _ in range(20):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(5)
        line.connect(("127.0.0.1", victim.port))
        line.sendall(rpc("SendStreamingMessage", said("endless")))
        said_first = b""
        while b"\n\n" not in said_first:
            said_first += line.recv(4096)
        at = said_first.index(b'"task":{"id":"') + 14
        ids.append(said_first[at : said_first.index(b'"', at)].decode())
        lines.append(line)
    for _ in range(10):
        await victim.is_well()
    for answer in await victim.ask_all([rpc("CancelTask", {"id": one}) for one in ids]):
        check_decent(answer)
    for line in lines:
        line.close()


def cut(writer: asyncio.StreamWriter) -> None:
    """Go without a word: the other side gets a reset."""
    line = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
