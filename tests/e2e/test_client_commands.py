"""call, task and info against a running server, as a script uses them: output, JSON, exit codes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from support.certificates import Authority
from support.model_server import calls, says, trickles
from support.model_thread import model_in_a_thread
from support.processes import HECTOR, Hector, free_port, hector_in

LIMIT_S = 30
CONFIG = """
agents:
  talker: {{description: Talks, tools: []}}
  free: {{tools: [], allow_llm_override: true}}
  worker: {{tools: [todo_write]}}
llms:
  default: {{provider: openai, base_url: "{url}/v1", model: usual, api_key: k, max_retries: 0}}
  custom: {{provider: openai, base_url: "{url}/v1", model: special, api_key: k, max_retries: 0}}
server:
  auth:
    api_keys:
      - {{name: ursula, key: user-key, roles: [user]}}
      - {{name: olga, key: operator-key, roles: [operator]}}
"""
TODO = json.dumps({"todos": [{"id": "1", "content": "x", "status": "pending"}], "merge": False})


async def reply(received, line):
    """Answer by what was said: endlessly, with a tool, or with the model's name."""
    messages = received.json["messages"]
    said = str([message["content"] for message in messages if message["role"] == "user"][-1])
    if "slow" in said:
        await trickles(received, line)
    elif "tool" in said and messages[-1]["role"] == "user":
        await calls(("call-1", "todo_write", TODO))(received, line)
    else:
        await says(f"{received.json['model']} heard {said}")(received, line)


@pytest.fixture(scope="module")
def served():
    folder = Path(tempfile.mkdtemp(prefix="he-"))
    with model_in_a_thread(reply) as model, hector_in(folder) as hector:
        hector.write(CONFIG.format(url=model.url))
        server = hector.serve("--config", "hector.yaml")
        own = folder / "asking"  # no hector.yaml there: what is asked is the server
        own.mkdir()
        client = Hector(own)
        client.environment = {**hector.environment, "HECTOR_URL": server.url, "HECTOR_TOKEN": "user-key"}
        yield client
    shutil.rmtree(folder, ignore_errors=True)


def asked(served, *arguments, **more):
    found = served.run(*arguments, **more)
    assert "Traceback" not in found.stderr + found.stdout
    return found


@pytest.mark.parametrize(
    ("arguments", "text", "answer"),
    [
        (["call", "Hello"], None, "usual heard Hello\n"),
        (["call", "free", "Hello"], None, "usual heard Hello\n"),
        (["call", "Hello", "--agent", "free"], None, "usual heard Hello\n"),
        (["call", "-"], "from a pipe\n", "usual heard from a pipe\n"),
        (["call"], "from a pipe\n", "usual heard from a pipe\n"),
        (["call", "--agent", "free", "-"], "p", "usual heard p\n"),
        (["call", "--no-stream", "Hello"], None, "usual heard Hello\n"),
        (["call", "free", "Hello", "--llm", "custom"], None, "special heard Hello\n"),
        (["call", "Hello", "--llm", "custom", "--token", "operator-key"], None, "special heard Hello\n"),
        (["chat", "free", "--llm", "custom"], "Hello\n", "special heard Hello\n"),
    ],
    ids=str,
)
def test_every_form_of_asking_is_answered(served, arguments, text, answer):
    found = asked(served, *arguments, text=text)
    assert (found.returncode, found.stdout) == (0, answer), found.stderr


def test_a_user_may_not_choose_the_model_of_an_agent_that_does_not_allow_it(served):
    refused = asked(served, "call", "talker", "Hello", "--llm", "custom")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "agents.talker.allow_llm_override" in refused.stderr


def test_a_model_that_is_not_there_is_told_with_those_that_are(served):
    failed = asked(served, "call", "free", "Hello", "--llm", "nope")
    assert failed.returncode == 1
    assert "llms.nope" in failed.stderr
    assert "llms.custom" in failed.stderr


def test_a_tool_is_shown_beside_the_answer_and_not_in_it(served):
    found = asked(served, "call", "worker", "use a tool")
    assert found.stdout == "usual heard use a tool\n"
    assert found.stderr.startswith('[todo_write {"todos"')
    assert " s · " in found.stderr
    silent = asked(served, "call", "worker", "use a tool", "--no-show-tools")
    assert silent.stderr == ""


def test_json_has_the_answer_and_what_was_done_for_it(served):
    found = json.loads(asked(served, "call", "worker", "use a tool", "--format", "json").stdout)
    assert (found["state"], found["text"], found["error"]) == ("completed", "usual heard use a tool", None)
    assert [use["tool"] for use in found["tools"]] == ["todo_write"]
    again = asked(served, "call", "worker", "again", "--session", found["session"], "-f", "json")
    assert json.loads(again.stdout)["session"] == found["session"]


def test_json_lines_are_the_updates_of_a2a(served):
    lines = asked(served, "call", "Hello", "--format", "jsonl").stdout.splitlines()
    updates = [json.loads(line) for line in lines]
    assert "task" in updates[0]
    assert updates[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert (
        "".join(
            part["text"]
            for update in updates
            if "artifactUpdate" in update
            for part in update["artifactUpdate"]["artifact"]["parts"]
        )
        == "usual heard Hello"
    )


def test_a_failure_is_json_where_json_was_wanted(served):
    for arguments, reason in (
        (["call", "--url", "http://127.0.0.1:9", "Hello"], "NO_SERVER_THERE"),
        (["task", "get", "nothing"], "TASK_NOT_FOUND"),
        (["info", "nobody"], "AGENT_NOT_FOUND"),
    ):
        failed = asked(served, *arguments, "--format", "json")
        assert failed.returncode != 0
        assert json.loads(failed.stdout)["reason"] == reason
        assert failed.stderr.startswith("Error: ")


def test_after_its_time_the_task_is_cancelled(served):
    late = asked(served, "call", "be slow", "--timeout", "2")
    assert late.returncode == 124
    assert "within 2 s" in late.stderr
    listed = json.loads(asked(served, "task", "list", "--limit", "1", "-f", "json").stdout)
    assert listed["tasks"][0]["status"]["state"] == "TASK_STATE_CANCELED"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_stop_a_call_cancels_its_task(served, number, code):
    call = subprocess.Popen(
        [HECTOR, "call", "be slow"],
        cwd=served.folder,
        env=dict(served.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    assert call.stdout is not None
    assert call.stdout.read(4) == b"word"
    call.send_signal(number)
    rest, told = call.communicate(timeout=LIMIT_S)
    assert (call.returncode, told) == (code, b"cancelled\n")
    assert rest.endswith(b"\n")
    listed = json.loads(asked(served, "task", "list", "--limit", "1", "-f", "json").stdout)
    assert listed["tasks"][0]["status"]["state"] == "TASK_STATE_CANCELED"


def test_a_task_is_found_by_its_id_alone_and_with_its_agent(served):
    task = json.loads(asked(served, "call", "free", "Hello", "-f", "json").stdout)["task"]
    for arguments in ([task], ["free", task], [task, "--agent", "free"]):
        found = asked(served, "task", "get", *arguments)
        assert found.returncode == 0
        assert "agent    free" in found.stdout
        assert "usual heard Hello" in found.stdout
    assert json.loads(asked(served, "task", "get", task, "-f", "json").stdout)["id"] == task
    wrong = asked(served, "task", "get", "talker", task)
    assert wrong.returncode == 1
    assert "agent 'talker' has no task" in wrong.stderr
    stranger = asked(served, "task", "get", task, "--token", "operator-key")
    assert stranger.returncode == 1
    assert "there is no task" in stranger.stderr


def test_a_task_that_has_ended_is_left_as_it_is_and_that_is_no_error(served):
    task = json.loads(asked(served, "call", "Hello", "-f", "json").stdout)["task"]
    for _ in range(2):
        found = asked(served, "task", "cancel", task)
        assert found.returncode == 0
        assert "had ended already: it is completed" in found.stdout


def test_a_task_at_work_is_cancelled_from_elsewhere(served):
    call = subprocess.Popen(
        [HECTOR, "call", "be slow", "-f", "jsonl"],
        cwd=served.folder,
        env=dict(served.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert call.stdout is not None
    task = json.loads(call.stdout.readline())["task"]["id"]
    assert "is cancelled" in asked(served, "task", "cancel", task).stdout
    _, told = call.communicate(timeout=LIMIT_S)
    assert call.returncode == 1
    assert "cancel" in told
    assert "had ended already: it is canceled" in asked(served, "task", "cancel", task).stdout


def test_tasks_are_listed_by_agent_state_and_conversation_in_pages(served):
    first = json.loads(asked(served, "call", "free", "one", "-f", "json").stdout)
    for _ in range(2):
        asked(served, "call", "free", "two", "--session", first["session"])
    table = asked(served, "task", "list", "--agent", "free", "--state", "completed", "--limit", "2")
    assert table.stdout.startswith("TASK ")
    assert len(table.stdout.splitlines()) == 3
    assert "more with --agent free --page" in table.stderr
    chosen = ("--context", first["session"], "--agent", "free", "--limit", "2", "-f", "json")
    page = json.loads(asked(served, "task", "list", *chosen).stdout)
    assert page["total"] == 3
    rest = json.loads(asked(served, "task", "list", *chosen, "--page", page["next_page"]).stdout)
    assert (len(page["tasks"]), len(rest["tasks"]), rest["next_page"]) == (2, 1, None)
    assert asked(served, "task", "list", "--page", "x").returncode == 2
    assert asked(served, "task", "list", "--agent", "fre").stderr.endswith("did you mean 'free'?\n")


def test_info_tells_of_the_server_and_of_one_agent(served):
    told = asked(served, "info").stdout
    assert "status   healthy" in told
    assert "talker (default): type llm; Talks" in told
    one = json.loads(asked(served, "info", "free", "-f", "json").stdout)
    assert (one["name"], one["card"]["name"]) == ("free", "free")


def test_a_wrong_credential_and_none_are_told_apart(served):
    wrong = asked(served, "call", "Hello", "--token", "nonsense")
    assert wrong.returncode == 4
    assert "does not accept this credential" in wrong.stderr
    served_without = Hector(served.folder)
    served_without.environment = {**served.environment, "HECTOR_TOKEN": ""}
    for arguments in (["call", "Hello"], ["task", "list"], ["info"], ["chat"]):
        none = asked(served_without, *arguments)
        assert none.returncode == 4, none.stderr
        assert "wants a credential" in none.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["call", "wrker", "Hello"], 1, "worker"),
        (["chat", "wrker"], 1, "did you mean 'worker'?"),
        (["call", "--url", "http://127.0.0.1:9", "Hello"], 3, "hector serve"),
        (["task", "list", "--url", "http://127.0.0.1:9"], 3, "hector serve"),
        (["call", "--url", "nonsense", "Hello"], 2, "http://127.0.0.1:8080"),
        (["call", "--url", "https://127.0.0.1:9", "--ca-certificate", "no.pem", "Hello"], 1, "no.pem"),
        (["call", os.fsdecode(b"\xff")], 2, "not UTF-8"),
    ],
    ids=str,
)
def test_what_goes_wrong_is_one_line_with_the_next_step(served, arguments, code, told):
    failed = asked(served, *arguments)
    assert failed.returncode == code, failed.stderr
    assert told in failed.stderr
    assert failed.stdout == ""


def test_input_that_is_no_text_is_refused(served):
    refused = subprocess.run(
        [HECTOR, "call", "-"],
        cwd=served.folder,
        env=dict(served.environment),
        input=b"\xff\xfe\x00",
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert refused.returncode == 2
    assert b"not UTF-8" in refused.stderr


def test_a_terminal_without_our_letters_gets_others(served):
    plain = Hector(served.folder)
    plain.environment = {**served.environment, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    found = asked(plain, "call", "Grüße …")
    assert found.returncode == 0
    assert found.stdout.startswith("usual heard Gr")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_end_nothing(served, closed):
    """Started so by cron and by daemons: the next socket would get the number of a standard stream."""
    shell = ["sh", "-c", f'"{HECTOR}" call Hello {closed}']
    found = subprocess.run(
        shell,
        cwd=served.folder,
        env=dict(served.environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == ("" if ">&-" in closed.replace("2>&-", "") else "usual heard Hello\n")


def test_without_text_and_without_input_there_is_nothing_to_ask(served):
    shell = ["sh", "-c", f'"{HECTOR}" call <&-']
    found = subprocess.run(
        shell,
        cwd=served.folder,
        env=dict(served.environment),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert found.returncode == 2
    assert "there is no text to ask" in found.stderr


def test_a_server_that_hangs_does_not_hold_who_leaves(served, tmp_path):
    """The first Ctrl-C asks for the task's end, a second one waits for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        call = subprocess.Popen(
            [HECTOR, "call", "--url", url, "Hello"],
            cwd=served.folder,
            env=dict(served.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        silent.settimeout(LIMIT_S)
        with silent.accept()[0] as line:
            assert line.recv(1024)
            call.send_signal(signal.SIGINT)
            call.send_signal(signal.SIGINT)
            told = call.communicate(timeout=LIMIT_S)
    assert (call.returncode, *told) == (130, b"", b"cancelled\n")


def test_a_server_behind_tls_is_trusted_by_its_authority_alone(hector):
    authority = Authority(hector.folder)
    pair = authority.issue()
    hector.write(
        f"server: {{tls: {{cert_file: {pair.cert_file}, key_file: {pair.key_file}}}}}\n"
        "llms: {default: {provider: local}}\n"
    )
    server = hector.start("--port", str(port := free_port()), "--grpc-port", "0")
    url = f"https://127.0.0.1:{port}"
    deadline = time.monotonic() + LIMIT_S
    while "Ready" not in server.output():
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.05)
    stranger = asked(hector, "call", "--url", url, "Hello")
    assert stranger.returncode == 3
    assert "--ca-certificate FILE" in stranger.stderr
    known = asked(hector, "call", "--url", url, "--ca-certificate", str(authority.file), "Hello")
    assert (known.returncode, known.stderr) == (0, "")
    plain = asked(hector, "call", "--url", url.replace("https", "http"), "Hello")
    assert plain.returncode == 3
