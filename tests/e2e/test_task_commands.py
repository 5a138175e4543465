"""`hector task`: commands to tasks of a running server, over HTTP and over gRPC, as a script uses them."""

import json
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from support.processes import Hector, free_port, hector_in, wait_until_ready

CONFIG = """
agents:
  napper: {type: custom, handler: "napping:nap"}
  broken:
    tools: []
    retry: {model: {max_attempts: 2, initial_delay: 1ms}}
llms:
  default: {provider: openai, base_url: "http://127.0.0.1:9/v1", model: usual, api_key: k, max_retries: 0}
server:
  auth:
    api_keys:
      - {name: ursula, key: user-key, roles: [user]}
      - {name: olga, key: operator-key, roles: [operator]}
"""
CODE = """
async def nap(turn):
    yield "Waiting. "
    paid = await turn.wait(3600)
    yield f"It is {paid['sum']}."
"""
LIMIT_S = 20


@pytest.fixture(scope="module", params=["http", "grpc"])
def hector(request):
    folder, grpc_port = Path(tempfile.mkdtemp(prefix="he-")), free_port()
    with hector_in(folder) as served:
        served.write(CONFIG)
        (folder / "napping.py").write_text(CODE)
        port = free_port()
        arguments = ("--config", "hector.yaml", "--port", str(port), "--grpc-port", str(grpc_port))
        server = served.start(*arguments, url=f"http://127.0.0.1:{port}")
        wait_until_ready(server)
        own = folder / "asking"
        own.mkdir()
        client = Hector(own)
        url = server.url if request.param == "http" else f"grpc://127.0.0.1:{grpc_port}"
        client.environment = {**served.environment, "HECTOR_URL": url, "HECTOR_TOKEN": "operator-key"}
        yield client
    shutil.rmtree(folder, ignore_errors=True)


def task(hector, *arguments, token="operator-key"):
    found = hector.run("task", *arguments, "--token", token)
    assert "Traceback" not in found.stderr + found.stdout
    return found


def begun(hector, agent, text) -> str:
    """Ask an agent, and return the task once it waits, or is over."""
    hector.run("call", agent, text, "--timeout", "20")
    listed = json.loads(task(hector, "list", "--agent", agent, "-f", "json").stdout)["tasks"]
    return listed[0]["id"]


def shown(hector, name) -> dict:
    return json.loads(task(hector, "show", name, "-f", "json").stdout)


def until(condition) -> None:
    gives_up = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < gives_up
        time.sleep(0.1)


def test_a_task_that_failed_too_often_is_found_requeued_and_counted(hector):
    name = begun(hector, "broken", "hello")
    assert shown(hector, name)["status"]["state"] == "TASK_STATE_FAILED"
    dead = json.loads(task(hector, "dead", "-f", "json").stdout)["deadLetters"]
    assert [(one["run"], one["reason"], one["attempts"]) for one in dead] == [(name, "MODEL_UNREACHABLE", 2)]
    assert name in task(hector, "dead").stdout
    assert task(hector, "dead", token="user-key").returncode != 0
    requeued = task(hector, "requeue", name)
    assert requeued.returncode == 0
    new = requeued.stdout.split()[-1].rstrip(".")
    assert f"Task {name} is tried again as {new}." in requeued.stdout
    assert "was requeued before" in task(hector, "requeue", name).stdout
    until(lambda: shown(hector, new)["status"]["state"] == "TASK_STATE_FAILED")
    again = json.loads(task(hector, "retry", new, "--from-start", "-f", "json").stdout)
    assert again["changed"]
    assert again["run"]["retryOf"] == new
    total = json.loads(task(hector, "queue", "-f", "json").stdout)["total"]
    assert total["dead"]
    assert "AGENT" in task(hector, "queue").stdout
    assert task(hector, "requeue", "none-such").returncode == 1


def test_a_task_that_waits_is_paused_resumed_signalled_and_followed(hector):
    wait = hector.run("call", "napper", "hello", "--timeout", "2")
    assert wait.returncode != 0
    listed = json.loads(task(hector, "list", "--agent", "napper", "-f", "json").stdout)["tasks"]
    assert listed[0]["status"]["state"] == "TASK_STATE_CANCELED", "--timeout cancels what it gives up"
    new = json.loads(task(hector, "retry", listed[0]["id"], "-f", "json").stdout)["run"]["name"]
    until(lambda: "waits" not in task(hector, "pause", new).stdout)
    assert "is paused" in task(hector, "pause", new).stdout
    assert "paused by olga" in task(hector, "show", new).stdout
    assert "goes on" in task(hector, "resume", new).stdout
    assert "does not wait to be resumed" in task(hector, "resume", new).stdout
    assert "has it" in task(hector, "signal", new, '{"sum": 7}').stdout
    until(lambda: shown(hector, new)["status"]["state"] == "TASK_STATE_COMPLETED")
    tail = task(hector, "tail", new)
    assert "Waiting. It is 7." in tail.stdout
    assert "[completed]" in tail.stderr
    lines = task(hector, "tail", new, "-f", "jsonl").stdout.splitlines()
    assert json.loads(lines[-1])["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    places = json.loads(task(hector, "checkpoints", new, "-f", "json").stdout)["checkpoints"]
    assert places[0]["why"] == "before_llm"
    over = task(hector, "pause", new)
    assert over.returncode == 1
    assert "completed" in over.stderr.lower()
    assert "had ended already" in task(hector, "cancel", new).stdout


def test_what_is_no_task_of_ones_own_is_not_found(hector):
    name = begun(hector, "broken", "hello")
    for command in ("pause", "resume", "retry", "checkpoints"):
        found = task(hector, command, name, token="user-key")
        assert found.returncode == 1, command
        assert "no task" in found.stderr
    assert task(hector, "signal", name, "[]").returncode == 2
