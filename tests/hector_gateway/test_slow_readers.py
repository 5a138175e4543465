"""Ours: who reads slowly, or not at all, or goes, costs little, holds nobody up and leaves nothing behind."""

import asyncio
import socket
from urllib.parse import urlsplit

from support.doors import RpcV1
from support.open_doors import opened
from support.scripted_agent import ScriptedModel, until

from hector.llm.v1 import StreamTextResponse
from hector_gateway import in_flight

PIECES, PIECE = 300, "x" * 2_000


class Flood:
    """A model that says more than sockets hold, when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, request):
        yield StreamTextResponse(text="first ")
        await self.go_on.wait()
        for number in range(PIECES):
            yield StreamTextResponse(text=PIECE, done=number == PIECES - 1)
            await asyncio.sleep(0)


def text_in(events) -> str:
    return "".join(
        part.get("text", "")
        for event in events
        for part in event.found.get("artifactUpdate", {}).get("artifact", {}).get("parts", [])
    )


def deaf(url: str, task: str) -> socket.socket:
    """Subscribe, and read nothing."""
    place = urlsplit(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((place.hostname, place.port))
    client.sendall(
        f"GET /agents/assistant/tasks/{task}:subscribe HTTP/1.1\r\n"
        "Host: localhost\r\nA2A-Version: 1.0\r\n\r\n".encode()
    )
    return client


class Border:
    """What the border under test keeps of its streams."""

    def __init__(self, monkeypatch) -> None:
        self.kept: list[in_flight.InFlight] = []
        monkeypatch.setattr(in_flight.InFlight, "__init__", self._made(in_flight.InFlight.__init__))

    def _made(self, make):
        def made(one, *given, **more):
            make(one, *given, **more)
            self.kept.append(one)

        return made

    @property
    def streams(self) -> int:
        return sum(one.open_streams for one in self.kept)

    @property
    def looked_after(self) -> int:
        return sum(len(due) for one in self.kept for due in one.pulse._due.values())


async def test_one_that_never_reads_holds_up_none_of_twenty_that_do(mesh_under_test, tmp_path):
    flood = Flood()
    async with opened(mesh_under_test, tmp_path, ScriptedModel(flood)) as place, asyncio.timeout(50):
        door = place.door(RpcV1, "assistant")
        async with door.streamed() as stream:
            events = aiter(stream)
            task = (await anext(events)).found["task"]["id"]
            await anext(events)  # the first word: it is at work
            with deaf(place.url, task):
                there = asyncio.Barrier(21)  # who comes later has the beginning in its task, not in updates
                readings = [asyncio.create_task(followed(door, task, there)) for _ in range(20)]
                await there.wait()
                flood.go_on.set()
                texts = {text_in([event async for event in stream]), *await asyncio.gather(*readings)}
        assert {text.replace("first ", "") for text in texts} == {PIECE * PIECES}


async def followed(door, task: str, there: asyncio.Barrier) -> str:
    async with door.subscribe(task) as stream:
        events = aiter(stream)
        first = await anext(events)
        await there.wait()
        return text_in([first, *[event async for event in events]])


async def test_clients_that_vanish_leave_nothing_behind(mesh_under_test, tmp_path, monkeypatch):
    """Neither tasks nor places in any list; the run goes on."""
    flood, border = Flood(), Border(monkeypatch)
    async with opened(mesh_under_test, tmp_path, ScriptedModel(flood)) as place, asyncio.timeout(50):
        door = place.door(RpcV1, "assistant")
        async with door.streamed() as stream:
            events = aiter(stream)
            task = (await anext(events)).found["task"]["id"]
            await anext(events)
            before = len(asyncio.all_tasks())
            clients = [deaf(place.url, task) for _ in range(100)]

            async def all_there() -> bool:
                return border.streams == border.looked_after == 101

            await until(all_there)
            for client in clients:
                client.close()

            async def all_gone() -> bool:
                return border.streams == border.looked_after == 1 and len(asyncio.all_tasks()) <= before

            await until(all_gone)
            flood.go_on.set()
            assert text_in([event async for event in stream]) == PIECE * PIECES
