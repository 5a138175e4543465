"""Several workers of one server: what can be said without starting any."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hector_config import load
from hector_gateway.errors import CannotServe
from hector_gateway.listening import Sharing, bound
from hector_mesh import metrics
from hector_plugin_host.start_failed import PluginStartFailed
from hector_runtime.config import Config
from hector_runtime.plugins.of_workers import NotEverywhere, PluginsOfWorkers
from hector_runtime.plugins.showing import ShownPlugins
from hector_runtime.workers.line import Line, WorkerLine
from hector_runtime.workers.member import Member, Standing
from hector_runtime.workers.merging_pages import merged
from hector_runtime.workers.neighbours import Neighbours
from hector_runtime.workers.refusing import WorkersCannot, check
from hector_runtime.workers.reserving import reserved
from hector_runtime.workers.slot import Child, Slot, ending
from hector_runtime.workers.taking import Taking

PAGE = b"""# HELP asked_total Questions.
# TYPE asked_total counter
asked_total{agent="a b"} 1.0
asked_total{agent="{x}"} 2.0
# HELP up Always.
# TYPE up gauge
up 1.0
"""


def configured(text: str) -> Config:
    return load(text, Config, environment={}).config


def test_a_page_of_all_workers_says_whose_every_value_is() -> None:
    page = merged({"1": PAGE, "2": PAGE.replace(b"2.0", b"7.0")}).decode().splitlines()
    assert page == [
        "# HELP asked_total Questions.",
        "# TYPE asked_total counter",
        'asked_total{worker="1",agent="a b"} 1.0',
        'asked_total{worker="1",agent="{x}"} 2.0',
        'asked_total{worker="2",agent="a b"} 1.0',
        'asked_total{worker="2",agent="{x}"} 7.0',
        "# HELP up Always.",
        "# TYPE up gauge",
        'up{worker="1"} 1.0',
        'up{worker="2"} 1.0',
    ]


def test_what_one_worker_alone_has_is_on_the_page_too() -> None:
    assert b'up{worker="2"} 1.0' in merged({"1": b"", "2": b"# TYPE up gauge\nup 1.0\n"})


def test_a_worker_is_started_again_at_once_unless_it_keeps_dying() -> None:
    slot = Slot(1)
    pauses = [slot.died() for _ in range(12)]
    assert pauses[:4] == [0.0, 0.5, 1.0, 2.0]
    assert pauses[-1] == 30.0
    assert slot.due is not None


def test_how_a_worker_ended_is_said_as_people_know_it() -> None:
    assert [ending(code) for code in (0, 3, -9, -99)] == [
        "exit code 0",
        "exit code 3",
        "SIGKILL",
        "signal 99",
    ]


async def test_whole_objects_come_through_a_line_however_large_they_are() -> None:
    ours, theirs = socket.socketpair()
    line, heard = Line(ours), asyncio.Queue[Any]()
    large = ("take", 1, "x" * 3_000_000)
    line.say(*large)
    line.say("commit", 1)
    assert line.wants_to_write, "nobody has read yet, and nobody was waited for"
    async with asyncio.timeout(10):
        worker = WorkerLine(theirs)
        hearing = asyncio.create_task(worker.hearing(heard.put))
        while line.wants_to_write:
            line.flush()
            await asyncio.sleep(0)
        assert await heard.get() == large
        assert await heard.get() == ("commit", 1)
        worker.say("prepared", 1)
        worker.say("up")
        assert list(line.heard()) == [("prepared", 1), ("up",)]
        line.close()
        await hearing
    theirs.close()


class Proposals:
    """Gives a config to each reading, and keeps those that were taken."""

    def __init__(self) -> None:
        self.read, self.taken_over = 0, list[object]()

    def reread(self) -> object | None:
        self.read += 1
        return f"config {self.read}"

    def taken(self, proposal: object) -> None:
        self.taken_over.append(proposal)


class NotingLine:
    def __init__(self, said: list[Any]) -> None:
        self._said = said

    def say(self, *told: Any) -> None:
        self._said.append(told)


@pytest.fixture
def taking() -> Any:
    said: dict[int, list[Any]] = {1: [], 2: []}
    children = {number: Child("", 0, NotingLine(said[number])) for number in said}  # type: ignore[arg-type]
    proposals = Proposals()
    made = Taking(proposals, lambda: children)
    return made, proposals, said, children


def test_a_config_is_taken_when_every_worker_is_ready_for_it(taking: Any) -> None:
    made, proposals, said, _ = taking
    made.begin()
    made.heard(1, ("prepared", 1))
    assert proposals.taken_over == []
    made.heard(2, ("prepared", 1))
    assert proposals.taken_over == ["config 1"]
    assert said[1] == said[2] == [("take", 1, "config 1"), ("commit", 1)]


def test_a_config_that_one_worker_refuses_is_taken_by_none(taking: Any, caplog: Any) -> None:
    made, proposals, said, _ = taking
    made.begin()
    made.heard(1, ("prepared", 1))
    made.heard(2, ("refused", 1, ("no such key",)))
    made.heard(1, ("prepared", 1))
    assert proposals.taken_over == []
    assert said[1][-1] == said[2][-1] == ("drop", 1)
    assert caplog.records[-1].problem == "no such key"
    assert not made.is_under_way


def test_a_worker_that_dies_meanwhile_keeps_nobody_from_taking_a_config(taking: Any) -> None:
    made, proposals, _, children = taking
    made.begin()
    made.heard(1, ("prepared", 1))
    del children[2]
    made.lost(2)
    assert proposals.taken_over == ["config 1"]


def test_a_config_that_comes_while_another_is_being_taken_is_read_afterwards(taking: Any) -> None:
    made, proposals, said, _ = taking
    made.begin()
    made.begin()
    made.begin()
    assert proposals.read == 1
    for number in (1, 2):
        made.heard(number, ("prepared", 1))
    assert proposals.read == 2
    assert said[1][-1] == ("take", 2, "config 2")


def test_a_worker_that_says_nothing_is_not_waited_for_for_ever(taking: Any, caplog: Any) -> None:
    made, proposals, said, _ = taking
    made.begin()
    made.until = 0.0
    made.be_on_time()
    assert said[1][-1] == ("drop", 1)
    assert proposals.taken_over == []
    assert caplog.records[-1].workers == "1, 2"


@pytest.mark.parametrize(
    ("text", "roles", "listen", "says"),
    [
        ("storage: {database: inmemory}", (), None, "in memory"),
        ("{}", ("llm",), "unix:///run/llm.sock", "unix socket"),
        ("{}", ("document", "llm"), "127.0.0.1:0", "own files"),
    ],
)
def test_what_several_workers_cannot_do_is_refused_with_what_to_do(
    text: str, roles: tuple[str, ...], listen: str | None, says: str
) -> None:
    with pytest.raises(WorkersCannot, match=says):
        check(configured(text), roles, listen)


def test_free_ports_are_chosen_once_and_kept_for_those_who_share_them() -> None:
    config = configured("server: {port: 0, grpc_port: 0, listeners: [{port: 0, card: '0.3'}]}")
    kept = reserved(config, ["gateway"], "127.0.0.1:0")
    server = kept.overrides["server"]
    ports = [server["port"], server["grpc_port"], server["listeners"][0].port]  # type: ignore[index]
    assert kept.listen is not None
    ports.append(int(kept.listen.rpartition(":")[2]))
    assert all(ports)
    for port in ports:
        with pytest.raises(CannotServe):
            bound("127.0.0.1", port)
        with (
            bound("127.0.0.1", port, sharing=Sharing.OTHERS),
            bound("127.0.0.1", port, sharing=Sharing.OTHERS),
            pytest.raises(CannotServe),
        ):
            bound("127.0.0.1", port, sharing=Sharing.RESERVED)
    kept.close()


@pytest.fixture
def kept_metrics() -> Any:
    class Page:
        def family(self, instrument: Any) -> Any:
            return lambda values: Value()

        def page(self, accept: str) -> tuple[bytes, bytes]:
            return b"text/plain", b"# TYPE up gauge\nup 1.0\n"

    class Value:
        def set(self, value: float) -> None: ...

    metrics.enable(Page())
    yield
    metrics.disable()


def members(folder: Path, count: int) -> list[Member]:
    standings = tuple(Standing(number, 100 + number, up=True, starts=1) for number in range(1, count + 1))
    return [Member(one.number, count, f"s/{one.number}.1", folder, standings=standings) for one in standings]


async def test_whichever_worker_is_asked_answers_for_all(folder: Path, kept_metrics: None) -> None:
    reasons: dict[int, list[str] | None] = {1: [], 2: ["the database cannot be used"], 3: None}
    async with asyncio.timeout(10), AsyncExitStack() as stack:
        every = [Neighbours(one, lambda n=one.number: reasons[n]) for one in members(folder, 3)]  # type: ignore[misc]
        for one in every:
            await stack.enter_async_context(one.answering())
        assert await every[0].waiting() == ["worker 2: the database cannot be used"]
        assert await every[1].waiting() == [], "its own reasons it knows, and who leaves gets no requests"
        kind, page = await every[0].page("")
        assert kind.startswith(b"text/plain")
        assert page.decode().splitlines()[1:] == [f'up{{worker="{number}"}} 1.0' for number in (1, 2, 3)]


class OwnPlugins(ShownPlugins):
    """As a worker's own: `up` is everywhere, `embed` in the first alone."""

    def __init__(self, number: int) -> None:
        self.number, self.done, self.is_broken = number, [], False  # type: ignore[var-annotated]

    async def plugins(self) -> list[dict[str, object]]:
        return [
            {"name": name, "state": "ready"} for name in ("up", *(("embed",) if self.number == 1 else ()))
        ]

    async def lines(self, name: str, most: int) -> list[dict[str, object]] | None:
        if name != "up":
            return None
        return [{"time": f"{hour}:0{self.number}", "number": hour} for hour in (1, 2)][-most:]

    async def reload(self, name: str) -> dict[str, object] | None:
        if self.is_broken:
            raise PluginStartFailed(name, "it is broken")
        if name not in [one["name"] for one in await self.plugins()]:
            return None
        self.done.append(name)
        return {"name": name, "state": "ready", "generation": 2}


async def test_plugins_of_all_workers_are_told_of_and_replaced_by_whichever_is_asked(folder: Path) -> None:
    async with asyncio.timeout(10), AsyncExitStack() as stack:
        every = [Neighbours(one, lambda: []) for one in members(folder, 3)]
        own = [OwnPlugins(one.number) for one in every]
        all_of_them = [PluginsOfWorkers(mine, one) for mine, one in zip(own, every, strict=True)]
        for one in every:
            await stack.enter_async_context(one.answering())
        second = all_of_them[1]
        listed = [(one["name"], one["worker"]) for one in await second.plugins()]
        assert listed == [("embed", 1), ("up", 1), ("up", 2), ("up", 3)]
        lines = await second.lines("up", 4)
        assert [(one["number"], one["worker"]) for one in lines or ()] == [(1, 3), (2, 1), (2, 2), (2, 3)]
        assert await second.lines("none", 4) is None
        reloaded = await second.reload("up")
        assert reloaded is not None
        assert (reloaded["state"], reloaded["workers"]) == ("ready", [1, 2, 3])
        assert (await second.reload("embed") or {})["workers"] == [1]
        assert await second.reload("none") is None
        own[2].is_broken = True
        with pytest.raises(NotEverywhere, match=r"some of the workers: worker 3: .*it is broken$"):
            await second.reload("up")
        assert [mine.done for mine in own] == [["up", "embed", "up"], ["up", "up"], ["up"]]


async def test_a_worker_that_does_not_answer_is_missed_and_not_waited_for(
    folder: Path, kept_metrics: None
) -> None:
    first, *_ = members(folder, 3)
    first.standings = (*first.standings[:2], Standing(3, 0, up=False, starts=4))
    async with asyncio.timeout(10):
        neighbours = Neighbours(first, lambda: [])
        async with neighbours.answering():
            assert await neighbours.waiting() == ["worker 2: it does not answer"]
            assert neighbours.missing() == ["worker 3: not running (started 4 times)"]
            assert b'up{worker="1"} 1.0' in (await neighbours.page(""))[1]
            shown = await neighbours.workers()
        first.standings = (*first.standings[:2], Standing(3, 0, up=False, starts=1, is_new=True))
        assert (await neighbours.waiting())[0] == "worker 3: starting"
    assert shown[2] == {"number": 3, "pid": 0, "up": False, "starts": 4}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("w")


def test_one_worker_has_the_roles_that_own_files_and_the_others_know_where(folder: Path) -> None:
    roles = ["embedder", "vector", "document", "llm", "agent", "gateway"]
    first, second = members(folder, 2)
    assert first.roles(roles) == roles
    assert first.addresses(roles) == {}
    assert second.roles(roles) == ["llm", "agent", "gateway"]
    assert second.addresses(roles) == dict.fromkeys(roles[:3], first.listen)
