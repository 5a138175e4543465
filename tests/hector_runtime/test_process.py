"""One process of the mesh: the order in which rooms start and stop, and what happens when one cannot."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hector.llm.v1 import (
    GenerateTextRequest,
    GenerateTextResponse,
    LLMProviderServicer,
    LLMProviderStub,
    add_LLMProviderServicer_to_server,
)
from hector_config import load
from hector_mesh import Call, HectorError, Room, scope, wire_channel
from hector_runtime import process, roles
from hector_runtime.config import Config
from hector_runtime.process import running
from hector_runtime.roles import Role
from hector_runtime.wires import ListeningWithoutToken

LLM = "hector.llm.v1.LLMProvider"


class CannotStart(HectorError):
    code, reason = StatusCode.FAILED_PRECONDITION, "CANNOT_START"


class Echo(LLMProviderServicer):
    async def GenerateText(self, request: GenerateTextRequest, context: Any) -> GenerateTextResponse:
        return GenerateTextResponse(text=request.prompt)


@dataclass(frozen=True)
class FakeRole(Role):
    room: Callable[[Any], Room] | None = None

    def build(self, config: Config, mesh: Any, **more: object) -> Room:
        assert self.room is not None
        return self.room(mesh)


@pytest.fixture
def table(monkeypatch):
    """Replace the table of roles by rooms that note what happens to them."""
    made: dict[str, FakeRole] = {}
    noted: list[str] = []

    def add(
        name: str,
        *,
        serves: tuple[str, ...] = (),
        starts: Any = None,
        ready: Any = None,
        addresses: Any = dict,
        drain: Any = None,
        bereaved: Any = None,
    ) -> None:
        def room(mesh: Any) -> Room:
            @asynccontextmanager
            async def run():
                noted.append(f"{name} starts")
                if starts is not None:
                    await starts(mesh)
                try:
                    yield
                finally:
                    noted.append(f"{name} stops")

            def register(server: Any) -> None:
                noted.append(f"{name} registers")
                if LLM in serves:
                    add_LLMProviderServicer_to_server(Echo(), server)

            return Room(
                register=register,
                running=run,
                ready=ready,
                addresses=addresses,
                drain=drain,
                bereaved=bereaved,
            )

        made[name] = FakeRole(name, serves, room=room)

    monkeypatch.setattr(roles, "ROLES", made)
    monkeypatch.setattr(process, "ROLES", made)
    add.noted = noted  # type: ignore[attr-defined]
    return add


@pytest.fixture
def config() -> Config:
    return load("{}", Config, environment={}).config


async def health_of(channel: Any, service: str) -> str:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def test_every_room_is_registered_before_any_runs_and_they_stop_in_reverse(table, config):
    table("one")
    table("two")
    async with asyncio.timeout(5), running(config) as here:
        await here.ready.wait()
        assert here.roles == ("one", "two")
    assert table.noted == [
        "one registers",
        "two registers",
        "one starts",
        "two starts",
        "two stops",
        "one stops",
    ]


async def test_a_room_that_cannot_start_stops_the_others_and_its_own_error_comes_out(table, config):
    async def fails(mesh: Any) -> None:
        raise CannotStart("no room")

    table("one")
    table("two", starts=fails)
    table("three")
    with pytest.raises(CannotStart, match="no room"):
        async with asyncio.timeout(5), running(config):
            pytest.fail("it must not run")
    assert table.noted[3:] == ["one starts", "two starts", "one stops"]


async def test_what_the_block_raises_comes_out_as_it_is(table, config):
    table("one")
    with pytest.raises(CannotStart):
        async with asyncio.timeout(5), running(config):
            raise CannotStart("outside")
    assert table.noted[-1] == "one stops"


async def test_a_room_that_never_becomes_ready_because_it_failed_ends_the_process(table, config):
    async def fails() -> None:
        raise CannotStart("index lost")

    table("one", ready=fails)
    with pytest.raises(CannotStart, match="index lost"):
        async with asyncio.timeout(5), running(config):
            await asyncio.Event().wait()


async def test_a_room_may_be_called_by_others_while_they_start(table, config):
    answers = []

    async def asks(mesh: Any) -> None:
        with scope(Call()):
            answer = await LLMProviderStub(mesh).GenerateText(GenerateTextRequest(prompt="hi"), timeout=5)
        answers.append(answer.text)

    table("early", starts=asks)
    table("llm", serves=(LLM,))
    async with asyncio.timeout(5), running(config):
        assert answers == ["hi"]


async def test_services_are_not_serving_until_their_room_is_ready(table, config):
    indexed = asyncio.Event()

    async def ready() -> None:
        await indexed.wait()

    table("quick", serves=("quick.v1.Quick",))
    table("llm", serves=(LLM,), ready=ready)
    async with (
        asyncio.timeout(10),
        running(config, listen="127.0.0.1:0") as here,
        wire_channel(here.address) as wire,
    ):
        for channel in (here.mesh.channel(LLM), wire):
            assert await health_of(channel, LLM) == "NOT_SERVING"
            assert await health_of(channel, "quick.v1.Quick") == "SERVING"
        assert not here.ready.is_set()
        indexed.set()
        await here.ready.wait()
        for channel in (here.mesh.channel(LLM), wire):
            assert await health_of(channel, LLM) == "SERVING"


async def test_a_role_that_listens_is_called_over_the_socket_as_in_process(table, config):
    table("llm", serves=(LLM,))
    async with asyncio.timeout(10), running(config, listen="127.0.0.1:0") as here:
        assert here.address.rpartition(":")[2] != "0"
        async with wire_channel(here.address) as wire:
            request: Message = GenerateTextRequest(prompt="hi")
            assert (await LLMProviderStub(wire).GenerateText(request, timeout=5)).text == "hi"


@pytest.mark.parametrize("listen", ["0.0.0.0:7010", "[::]:7010", "192.0.2.1:7010", "some-host:7010"])
async def test_listening_beyond_this_machine_needs_the_meshs_token(table, config, listen):
    table("one")
    with pytest.raises(ListeningWithoutToken, match=r"mesh: \{token: .*\}"):
        async with running(config, listen=listen):
            pytest.fail("it must not listen")
    assert table.noted == []


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
async def test_listening_on_this_machine_needs_no_token(table, config, listen):
    table("one")
    async with asyncio.timeout(10), running(config, listen=listen) as here:
        assert here.address


async def test_with_a_token_it_listens_everywhere_and_refuses_strangers(table):
    table("llm", serves=(LLM,))
    config = load("mesh: {token: secret}", Config, environment={}).config
    async with asyncio.timeout(10), running(config, listen="0.0.0.0:0") as here:
        port = here.address.rpartition(":")[2]
        async with wire_channel(f"127.0.0.1:{port}", token="secret") as known:
            answer = await LLMProviderStub(known).GenerateText(GenerateTextRequest(prompt="hi"), timeout=5)
            assert answer.text == "hi"
        async with wire_channel(f"127.0.0.1:{port}") as stranger:
            with pytest.raises(Exception, match="UNAUTHENTICATED"):
                await LLMProviderStub(stranger).GenerateText(GenerateTextRequest(prompt="hi"), timeout=5)


async def test_what_is_no_address_is_refused_as_such(table, config):
    table("one")
    with pytest.raises(HectorError, match="cannot listen on nonsense: it is not host:port"):
        async with running(config, listen="nonsense"):
            pytest.fail("it must not listen")
    assert table.noted[-1] == "one registers", "no room began for nothing"


async def test_it_says_where_clients_reach_it(table, config):
    table("llm")
    table("gateway", addresses=lambda: {"HTTP": "http://localhost:1"})
    async with running(config) as here:
        assert here.public == {"HTTP": "http://localhost:1"}


async def test_a_process_that_is_cancelled_stops_its_rooms(table, config):
    table("one")
    up = asyncio.Event()

    async def serve() -> None:
        async with running(config):
            up.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    async with asyncio.timeout(5):
        await up.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert table.noted[-1] == "one stops"


async def test_rooms_that_are_told_to_stop_end_their_work_side_by_side(table):
    """Ours: what agents still do needs the border, and the other way round."""
    began = [asyncio.Event(), asyncio.Event()]
    limits: list[float] = []

    def draining(mine: asyncio.Event, others: asyncio.Event) -> Any:
        async def drain(limit_s: float) -> None:
            limits.append(limit_s)
            mine.set()
            await others.wait()

        return drain

    table("one", drain=draining(*began))
    table("two", drain=draining(*reversed(began)))
    config = load("server: {shutdown_delay: 2s, shutdown_timeout: 3s}", Config, environment={}).config
    async with asyncio.timeout(5), running(config) as here:
        await here.drain()
        assert "one stops" not in table.noted
    assert limits == [5.0, 5.0]


async def test_rooms_hear_of_a_process_that_died_beside_theirs(table, config):
    told: list[str] = []

    async def bereaved(name: str) -> None:
        told.append(name)

    table("one", bereaved=bereaved)
    table("two")
    async with asyncio.timeout(5), running(config) as here:
        await here.bereave("supervisor-1/2.1")
    assert told == ["supervisor-1/2.1"]
