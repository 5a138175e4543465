"""The command line as processes: what stops a start, how it stops, what Ctrl-C and a closed pipe do."""

import asyncio
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest
from support.model_server import says, trickles
from support.processes import HECTOR, answer_of, message, post
from support.scripted_server import scripted

LIMIT_S = 20
IMPATIENT = """
import sys
from hector_runtime import asking, cli
asking.PICK_UP_S = 2.0
sys.argv[0] = "hector"
cli.main()
"""
MODEL = """
agents:
  talker: {{tools: []}}
  quiet: {{tools: [], streaming: false}}
llms:
  default: {{provider: openai, base_url: "{url}/v1", model: m, api_key: k, max_retries: 0}}
server: {{shutdown_timeout: {patience}}}
"""


def in_the_background(hector, *arguments, program=(HECTOR,)):
    return subprocess.Popen(
        [*program, *arguments],
        cwd=hector.folder,
        env=dict(hector.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )


def serves(hector, model, patience="10s"):
    hector.write(MODEL.format(url=model.url, patience=patience))
    return asyncio.to_thread(hector.serve, "--config", "hector.yaml")


# what stops a start


def test_a_port_that_is_taken_is_named_with_the_flag_to_change_it(hector):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for flag in ("--port", "--grpc-port"):
            other = "--grpc-port" if flag == "--port" else "--port"
            failed = hector.run("serve", flag, str(port), other, "0")
            assert failed.returncode == 1
            assert failed.stderr.splitlines()[-1].startswith("Error: ")
            assert f"127.0.0.1:{port}" in failed.stderr
            assert "address already in use" in failed.stderr
            assert flag in failed.stderr
            assert "Traceback" not in failed.stderr


def test_a_folder_whose_vectors_another_process_holds_is_refused_with_its_number(hector):
    (hector.folder / "docs").mkdir()
    hector.write("# A\n\ntext\n", "docs/a.md")
    first = hector.serve("--docs-folder", "docs")
    second = hector.run("serve", "--docs-folder", "docs", "--port", "0", "--grpc-port", "0")
    assert second.returncode == 1
    assert str(first.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert "Traceback" not in first.output()


# how it stops


async def test_told_to_stop_it_finishes_the_answer_that_is_waited_for(hector):
    async with scripted(says("one two three four five six", pause_s=0.2)) as model:
        server = await serves(hector, model)
        url = f"{server.url}/agents/talker"
        waiting = asyncio.create_task(asyncio.to_thread(post, url, "SendMessage", message("Hello")))
        async with asyncio.timeout(LIMIT_S):
            await model.asked.wait()
            server.process.terminate()
            answer = await waiting
            assert await asyncio.to_thread(server.process.wait, LIMIT_S) == 0
    assert answer_of(answer["result"]["task"]) == "one two three four five six"
    assert "Traceback" not in server.output()


async def test_an_answer_that_takes_too_long_to_finish_goes_on_at_the_next_start(hector):
    async with scripted(trickles) as model:
        server = await serves(hector, model, patience="500ms")
        asks = ("call", "--url", server.url, "--format", "json", "talker", "Hello")
        call = in_the_background(hector, *asks, program=(sys.executable, "-c", IMPATIENT))
        async with asyncio.timeout(LIMIT_S):
            await model.asked.wait()
            server.process.terminate()
            assert await asyncio.to_thread(server.process.wait, LIMIT_S) == 0
            _, told = await asyncio.to_thread(call.communicate)
            await model.left.wait()
        assert call.returncode == 3
        assert b"Traceback" not in told
        assert b"\nError: the answer from" in told
        assert b"`hector task get " in told
        again = await serves(hector, model)
        found = await asyncio.to_thread(post, f"{again.url}/agents/talker", "ListTasks", {})
        task = found["result"]["tasks"][0]
    assert task["status"]["state"] == "TASK_STATE_WORKING"
    assert "Traceback" not in server.output() + again.output()


async def test_a_second_ctrl_c_leaves_at_once(hector):
    async with scripted(trickles) as model:
        server = await serves(hector, model, patience="60s")
        url = f"{server.url}/agents/talker"
        waiting = asyncio.create_task(asyncio.to_thread(post, url, "SendMessage", message("Hello")))
        async with asyncio.timeout(LIMIT_S):
            await model.asked.wait()
            server.process.send_signal(signal.SIGINT)
            while "Stopping" not in server.output():  # noqa: ASYNC110  # another process, no event of ours
                await asyncio.sleep(0.02)  # another process has no event of ours
            server.process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(server.process.wait, LIMIT_S) == 130
            with pytest.raises((ConnectionError, http.client.RemoteDisconnected, urllib.error.URLError)):
                await waiting


# call and chat


async def test_ctrl_c_during_a_call_stops_the_task_at_the_server(hector):
    async with scripted(trickles) as model:
        server = await serves(hector, model)
        for agent in ("talker", "quiet"):
            model.asked.clear()
            model.left.clear()
            call = in_the_background(hector, "call", "--url", server.url, agent, "Hello")
            async with asyncio.timeout(LIMIT_S):
                await model.asked.wait()
                if agent == "talker":
                    assert call.stdout is not None
                    await asyncio.to_thread(call.stdout.read, 4)
                else:
                    while "GetTask" not in server.output():  # noqa: ASYNC110  # until it looks after its task
                        await asyncio.sleep(0.02)  # another process has no event of ours
                call.send_signal(signal.SIGINT)
                _, told = await asyncio.to_thread(call.communicate)
                await model.left.wait()
            assert call.returncode == 130
            assert told == b"cancelled\n"
            found = await asyncio.to_thread(post, f"{server.url}/agents/{agent}", "ListTasks", {})
            assert found["result"]["tasks"][0]["status"]["state"] == "TASK_STATE_CANCELED"


async def test_a_pipe_that_closes_stops_the_task_and_shows_no_traceback(hector):
    async with scripted(trickles) as model:
        server = await serves(hector, model)
        call = in_the_background(hector, "call", "--url", server.url, "talker", "Hello")
        assert call.stdout is not None
        assert call.stderr is not None
        async with asyncio.timeout(LIMIT_S):
            assert await asyncio.to_thread(call.stdout.read, 4) == b"word"
            call.stdout.close()
            assert await asyncio.to_thread(call.wait) == 1
            assert call.stderr.read() == b""
            call.stderr.close()
            await model.left.wait()


def converse(hector, model):
    assert hector.run("call", "Hello").stdout == "I heard you\n"
    assert hector.run("call", "quiet", "Hello").stdout == "I heard you\n"
    unknown = hector.run("call", "talkr", "Hello")
    assert unknown.returncode == 1
    assert "talker, quiet" in unknown.stderr
    first = json.loads(hector.run("call", "--format", "json", "Call me Ada").stdout)
    assert (first["state"], first["text"]) == ("completed", "I heard you")
    before = len(model.received)
    hector.run("call", "--session", first["session"], "Who am I?")
    assert "Call me Ada" in str(model.received[before].json["messages"])
    talk = hector.run("chat", "quiet", text="Hello\n\nCall me Bob\nexit\nnever sent\n")
    assert talk.returncode == 0
    assert talk.stdout == "I heard you\nI heard you\n"
    assert "hector chat --session" in talk.stderr
    assert "never sent" not in str(model.received[-1].json)
    assert "Hello" in str(model.received[-1].json["messages"])


async def test_calls_and_conversations_with_a_server(hector):
    async with scripted(says("I heard you")) as model:
        server = await serves(hector, model)
        hector.environment = {**hector.environment, "HECTOR_URL": server.url}
        await asyncio.to_thread(converse, hector, model)


def test_ctrl_c_at_the_prompt_of_a_chat_leaves_at_once(hector):
    terminal, theirs = os.openpty()
    chat = subprocess.Popen(
        [HECTOR, "chat", "--provider", "local"],
        cwd=hector.folder,
        env=dict(hector.environment),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        process_group=0,
    )
    try:
        shown = b""
        while not shown.endswith(b"> ") and select.select([terminal], [], [], LIMIT_S)[0]:
            shown += os.read(terminal, 1024)
        chat.send_signal(signal.SIGINT)
        assert chat.wait(LIMIT_S) == 130
        assert shown.endswith(b"> ")
        while select.select([terminal], [], [], 0)[0]:
            shown += os.read(terminal, 1024)
        assert b"Traceback" not in shown
    finally:
        chat.kill()
        chat.wait()
        os.close(terminal)
        os.close(theirs)


# how much it costs to be asked for help


def test_help_imports_nothing_of_what_it_is_about():
    code = (
        "import sys; from hector_runtime.cli import hector\n"
        "hector.main(['--help'], standalone_mode=False)\n"
        "found = {'grpc', 'pydantic', 'google.protobuf', 'aiohttp', 'yaml'} & set(sys.modules)\n"
        "sys.exit(', '.join(found) or 0)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")


# Root may write anywhere, unless it gives up the right to.
POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []


def test_a_folder_that_cannot_be_written_is_named(hector):
    Path(hector.folder).chmod(0o500)
    try:
        failed = subprocess.run(
            [*POWERLESS, HECTOR, "serve", "--port", "0", "--grpc-port", "0"],
            cwd=hector.folder,
            env=dict(hector.environment),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    finally:
        Path(hector.folder).chmod(0o700)
    assert failed.returncode == 1
    assert ".hector" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_start_that_fails_on_its_address_makes_no_admin_secret(hector):
    failed = hector.run("serve", "--host", "192.0.2.1", "--port", "0", "--grpc-port", "0")
    assert failed.returncode == 1
    assert "--host" in failed.stderr
    assert "secret" not in failed.stdout
    assert not list(Path(hector.folder).rglob("admin_secret*"))


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("hector ta", "task"),
        ("hector task ca", "cancel"),
        ("hector call --form", "--format"),
        ("hector call -f jso", "json"),
    ],
)
def test_a_shell_completes_commands_flags_and_choices(hector, words, completed):
    asked = {"_HECTOR_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    hector.environment = {**hector.environment, **asked}
    found = hector.run()
    assert f"plain,{completed}" in found.stdout.splitlines()
