"""`hector serve --workers N`: several processes that are one server, and what is left when one dies."""

import asyncio
import http.client
import json
import os
import signal
import ssl
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.certificates import Authority
from support.processes import Hector, Server, answer_of, free_port, is_alive, message, post, wait_until_ready

HANDLERS = """
import asyncio, os
from pathlib import Path

async def who(turn):
    yield str(os.getpid())

async def held(turn):
    yield f"{os.getpid()} "
    Path("at-work").write_text(str(os.getpid()))
    while not Path("let-go").exists():
        await asyncio.sleep(0.02)
    yield "ended"
"""
CONFIG = """
agents:
  who: {type: custom, handler: "handlers:who"}
  held: {type: custom, handler: "handlers:held"}
"""


def workers(server: Server) -> list[dict[str, Any]]:
    """Return what /health says of them; who asks a worker that is being killed asks again."""
    try:
        with urllib.request.urlopen(f"{server.url}/health", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)["workers"]
    except (ConnectionError, http.client.RemoteDisconnected):
        return workers(server)
    return found


def pids(server: Server) -> list[int]:
    return [one["pid"] for one in workers(server)]


def asked(server: Server, times: int = 24) -> Counter[int]:
    """Return which processes answer, each question on a connection of its own."""
    agents = f"{server.url}/agents/who"
    answers = (post(agents, "SendMessage", message("hi"))["result"]["task"] for _ in range(times))
    return Counter(int(answer_of(task)) for task in answers)


async def until(holds: Callable[[], Awaitable[bool]], within_s: float = 20) -> float:
    """Return how long it took until something held."""
    began = time.monotonic()
    async with asyncio.timeout(within_s):
        while not await holds():  # noqa: ASYNC110  # it is another process that we look at
            await asyncio.sleep(0.02)
    return time.monotonic() - began


@pytest.fixture
def several(hector: Hector) -> Iterator[Server]:
    hector.write(HANDLERS, "handlers.py")
    hector.write(CONFIG)
    server = hector.serve("--workers", "2", "--metrics")
    yield server
    assert "Traceback" not in server.output()


def test_all_workers_answer_at_one_port_and_whoever_is_asked_tells_of_all(
    several: Server, hector: Hector
) -> None:
    everybody = pids(several)
    assert len(everybody) == 2
    answered = asked(several)
    assert set(answered) == set(everybody), "the system gives each worker a part of the connections"
    with urllib.request.urlopen(f"{several.url}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    served = [line for line in page.splitlines() if line.startswith("hector_agent_requests_total{")]
    assert {line.partition("worker=")[2][:3] for line in served} == {'"1"', '"2"'}
    assert sum(float(line.rpartition(" ")[2]) for line in served if 'agent="who"' in line) == 24
    assert 'hector_worker_up{worker="' in page
    told = hector.run("info", "--url", several.url).stdout
    assert f"1: pid {everybody[0]}; up yes; starts 1" in told
    assert "Ready in" in several.output()
    assert "2 workers" in several.output()
    assert several.output().count("Ctrl-C stops") == 1
    assert several.stop() == 0
    assert not any(map(is_alive, everybody))


async def test_what_a_worker_had_goes_on_at_another_within_a_second_of_its_death(
    several: Server, folder: Path
) -> None:
    """Ours: its supervisor sees it die, so nobody waits for its lease to end."""
    before = pids(several)
    async with asyncio.timeout(60):
        asking = asyncio.create_task(
            asyncio.to_thread(post, f"{several.url}/agents/held", "SendMessage", message("hi"))
        )
        at_work = folder / "at-work"
        await until(lambda: _is_known(several))  # before, nobody has acknowledged anything
        dead = int(at_work.read_text())
        assert dead in before
        at_work.unlink()
        began = time.monotonic()
        os.kill(dead, signal.SIGKILL)
        await until(lambda: _is(at_work.exists()))
        took_s = time.monotonic() - began
        (folder / "let-go").touch()
        with pytest.raises(OSError):  # noqa: PT011  # the connection went with the worker that had it
            await asking
        task = await until_over(several)
        await until(lambda: _all_up(several))
    assert took_s < 1.0
    assert answer_of(task).endswith("ended")
    again = pids(several)
    assert dead not in again
    assert len(set(before) & set(again)) == 1
    assert "a worker died, it is started again" in several.output()
    assert "how=SIGKILL" in several.output()


async def until_over(server: Server) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def is_over() -> bool:
        parameters = {"includeArtifacts": True}
        answer = await asyncio.to_thread(post, f"{server.url}/agents/held", "ListTasks", parameters)
        found[:] = answer["result"]["tasks"]
        return bool(found) and found[0]["status"]["state"] == "TASK_STATE_COMPLETED"

    await until(is_over)
    return found[0]


async def _is_known(server: Server) -> bool:
    answer = await asyncio.to_thread(post, f"{server.url}/agents/held", "ListTasks", {})
    known: bool = answer["result"]["totalSize"] > 0
    return known


async def _is(value: bool) -> bool:
    return value


async def _all_up(server: Server) -> bool:
    return all(one["up"] for one in await asyncio.to_thread(workers, server))


async def test_workers_do_not_outlive_their_supervisor(several: Server) -> None:
    everybody = pids(several)
    several.kill()
    await until(lambda: _is(not any(map(is_alive, everybody))), 30)


async def test_a_second_signal_ends_every_worker_at_once(several: Server, folder: Path) -> None:
    everybody = pids(several)
    asking = asyncio.create_task(
        asyncio.to_thread(post, f"{several.url}/agents/held", "SendMessage", message("hi"))
    )
    await until(lambda: _is((folder / "at-work").exists()))
    began = time.monotonic()
    several.process.send_signal(signal.SIGTERM)
    await until(lambda: _is("Stopping" in several.output()))
    several.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(several.process.wait, 20) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 5
    assert not any(map(is_alive, everybody))
    with pytest.raises(OSError):  # noqa: PT011  # nobody is left to answer
        await asking


async def test_workers_that_are_replaced_one_by_one_fail_nobody(several: Server) -> None:
    """Ours: SIGTERM to one worker drains it, and the supervisor starts another."""
    stop, failed, answered = asyncio.Event(), list[str](), Counter[int]()

    async def ask(session: aiohttp.ClientSession) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message("hi")}
        while not stop.is_set():
            async with session.post(
                f"{several.url}/agents/who", json=body, headers={"A2A-Version": "1.0"}
            ) as answer:
                told = await answer.json()
            if "result" not in told:
                failed.append(json.dumps(told))
            else:
                answered[int(answer_of(told["result"]["task"]))] += 1

    before = await asyncio.to_thread(pids, several)
    async with asyncio.timeout(60), aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask(session))
        for old in before:
            os.kill(old, signal.SIGTERM)

            async def is_replaced(old: int = old) -> bool:
                now = await asyncio.to_thread(workers, several)
                return all(one["up"] and one["pid"] != old for one in now)

            await until(is_replaced)
        stop.set()
    assert failed == []
    assert not set(before) & set(await asyncio.to_thread(pids, several))
    assert sum(answered.values()) > 20


def test_a_config_is_taken_by_all_workers(several: Server, hector: Hector) -> None:
    hector.write(CONFIG + '  new: {type: custom, handler: "handlers:who"}\n')
    several.process.send_signal(signal.SIGHUP)
    _wait_for(several, "config was applied")
    agents = f"{several.url}/agents/new"
    answers = [post(agents, "SendMessage", message("hi")) for _ in range(24)]
    assert {int(answer_of(one["result"]["task"])) for one in answers} == set(pids(several))
    assert several.output().count("config was applied") == 1
    victim = workers(several)[1]
    os.kill(victim["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while not (two := workers(several)[1])["up"] or two["pid"] == victim["pid"]:
        assert time.monotonic() < deadline
    agents = f"{several.url}/agents/new"
    answers = [post(agents, "SendMessage", message("hi")) for _ in range(24)]
    assert two["pid"] in {int(answer_of(one["result"]["task"])) for one in answers}, (
        "it began with the new one"
    )


def test_a_config_that_one_worker_cannot_take_is_taken_by_none(
    several: Server, hector: Hector, folder: Path
) -> None:
    second = workers(several)[1]["pid"]
    (folder / "picky.py").write_text(
        f"import os\nassert os.getpid() != {second}, 'not here'\nasync def agent(turn):\n    yield 'hi'\n"
    )
    hector.write(CONFIG + '  picky: {type: custom, handler: "picky:agent"}\n')
    several.process.send_signal(signal.SIGHUP)
    _wait_for(several, "config refused by a worker, nothing was changed in any")
    assert "not here" in several.output()
    with urllib.request.urlopen(f"{several.url}/agents", timeout=5) as answer:
        assert "picky" not in answer.read().decode()
    assert "config was applied" not in several.output()


def _wait_for(server: Server, words: str) -> None:
    deadline = time.monotonic() + 30
    while words not in server.output():
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.05)


def test_every_worker_searches_the_documents_of_the_one_that_has_them(hector: Hector, folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "bees.md").write_text("# Bees\n\nA hive has one queen, and her name is Aurelia.\n")
    server = hector.serve("--docs-folder", "docs", "--workers", "3", "--log-level", "info")
    agents = f"{server.url}/agents/assistant"
    for _ in range(9):
        answer = post(agents, "SendMessage", message("What is the name of the queen?"))
        assert "Aurelia" in answer_of(answer["result"]["task"])
    served = [line for line in server.output().splitlines() if "request served" in line]
    assert len({line.partition("worker_number=")[2][:1] for line in served}) > 1
    first, second = workers(server)[:2]
    os.kill(first["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not workers(server)[0]["up"]:
        assert time.monotonic() < deadline
    wait_until_ready(server)
    for _ in range(6):
        answer = post(agents, "SendMessage", message("What is the name of the queen?"))
        assert "Aurelia" in answer_of(answer["result"]["task"])
    assert workers(server)[1]["pid"] == second["pid"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--ephemeral",), "a database in memory belongs to one process"),
        (("--role", "llm", "--listen", "unix:llm.sock"), "a unix socket belongs to one process"),
        (("--role", "vector", "--listen", "127.0.0.1:0"), "vector own files"),
    ],
)
def test_what_workers_cannot_do_is_refused(hector: Hector, arguments: tuple[str, ...], says: str) -> None:
    refused = hector.run("serve", "--port", "0", "--grpc-port", "0", "--workers", "2", *arguments)
    assert refused.returncode == 1
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_that_is_taken_is_said_once_and_no_worker_begins(hector: Hector) -> None:
    first = hector.serve("--workers", "2")
    port = first.url.rpartition(":")[2]
    refused = hector.run("serve", "--port", port, "--grpc-port", "0", "--workers", "2")
    assert refused.returncode == 1
    assert refused.stderr.count("address already in use") == 1, refused.stderr
    assert "worker_number=" not in refused.stderr


def test_a_server_that_cannot_start_says_so_once_whoever_finds_out(hector: Hector, folder: Path) -> None:
    hector.write("agents: {a: {type: custom, handler: 'nowhere:agent'}}\n")
    refused = hector.run("serve", "--port", "0", "--grpc-port", "0", "--workers", "3")
    assert refused.returncode == 1
    assert refused.stderr.count("Error:") == 1, refused.stderr
    assert "nowhere" in refused.stderr


def test_every_port_is_shared_tls_and_grpc_included(hector: Hector, folder: Path) -> None:
    authority = Authority(folder)
    pair = authority.issue()
    trusts = ssl.create_default_context(cafile=authority.file)
    port, grpc_port, other, watch = (free_port() for _ in range(4))
    hector.write(HANDLERS, "handlers.py")
    hector.write(
        CONFIG
        + f"""
server:
  workers: 2
  tls: {{cert_file: {pair.cert_file}, key_file: {pair.key_file}}}
  listeners: [{{port: {other}, card: "0.3"}}]
observability:
  metrics: {{enabled: true, listen: "127.0.0.1:{watch}"}}
"""
    )
    arguments = ("--port", str(port), "--grpc-port", str(grpc_port))
    server = hector.start(*arguments, url=f"https://localhost:{port}")
    wait_until_ready(server, trusts)
    with urllib.request.urlopen(f"https://localhost:{other}/health", timeout=5, context=trusts) as answer:
        everybody = {one["pid"] for one in json.load(answer)["workers"]}
    assert len(everybody) == 2
    trusted = ("--ca-certificate", str(authority.file))
    answers = set[int]()
    for _ in range(12):
        told = hector.run("call", "who", "hi", "--url", f"grpcs://localhost:{grpc_port}", *trusted)
        assert told.returncode == 0, told.stderr
        answers.add(int(told.stdout))
        if answers == everybody:
            break
    assert answers == everybody
    for _ in range(4):
        with urllib.request.urlopen(f"http://127.0.0.1:{watch}/metrics", timeout=5) as answer:
            page = answer.read().decode()
        assert {f'hector_build_info{{worker="{number}"' in page for number in (1, 2)} == {True}
        with urllib.request.urlopen(f"http://127.0.0.1:{watch}/ready", timeout=5) as answer:
            assert json.load(answer) == {"status": "ready"}
    assert server.stop() == 0


def test_a_model_role_runs_in_workers_behind_one_address(hector: Hector) -> None:
    llm, port = free_port(), free_port()
    hector.write(f"mesh: {{llm: '127.0.0.1:{llm}'}}\nserver: {{workers: 2}}\n")
    role = hector.start("--role", "llm", "--listen", f"127.0.0.1:{llm}")
    others = [f"--role={name}" for name in ("tool", "reasoning", "agent", "gateway")]
    server = hector.start(*others, "--port", str(port), "--grpc-port", "0", url=f"http://127.0.0.1:{port}")
    wait_until_ready(server)
    answer = post(f"{server.url}/agents/assistant", "SendMessage", message("hi"))
    assert answer_of(answer["result"]["task"])
    assert len(pids(server)) == 2
    assert role.process.poll() is None
