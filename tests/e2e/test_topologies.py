"""One process or many: the same answers, and a role that dies is named and comes back."""

import json
import time
import urllib.error
import urllib.request

import pytest
from support.processes import answer_of, message, post, wait_until_ready
from support.topologies import TOPOLOGIES

QUESTION = "How do I start the zeppelin?"
OLD = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": QUESTION}]}


def test_an_agent_answers_from_documents_and_cites_the_file(deployed):
    task = post(deployed.agent, "SendMessage", message(QUESTION))["result"]["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED", task
    assert "blue lever" in answer_of(task)
    assert "guide.md" in answer_of(task)
    called = deployed.hector.run("call", "--url", deployed.gateway.url, "What does the canteen serve?")
    assert called.returncode == 0, called.stderr
    assert "lentil soup" in called.stdout
    assert "food.md" in called.stdout


@pytest.mark.parametrize(
    ("version", "method", "params"),
    [("1.0", "SendStreamingMessage", message(QUESTION)), ("0.3", "message/stream", {"message": OLD})],
)
def test_the_answer_streams_over_a2a_by_new_and_old_names(deployed, version, method, params):
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
    headers = {"Content-Type": "application/json", "A2A-Version": version}
    request = urllib.request.Request(deployed.agent, body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in response if line.startswith(b"data: ")]
    assert all(event["id"] == 7 for event in events)
    assert "blue lever" in json.dumps(events)
    last = json.dumps(events[-1])
    assert "TASK_STATE_COMPLETED" in last if version == "1.0" else '"completed"' in last


@pytest.mark.parametrize("deployed", TOPOLOGIES[1:], indirect=True)
def test_a_role_that_is_down_is_named_and_used_again_when_it_is_back(deployed):
    llm = deployed.roles["llm"]
    llm.kill()
    failed = post(deployed.agent, "SendMessage", message("Hello"))["result"]["task"]
    assert failed["status"]["state"] == "TASK_STATE_FAILED"
    assert "role llm" in failed["status"]["message"]["parts"][0]["text"], failed
    with pytest.raises(urllib.error.HTTPError) as not_ready:
        urllib.request.urlopen(f"{deployed.gateway.url}/ready", timeout=10)
    assert "llm" in not_ready.value.read().decode()
    deployed.roles["llm"] = deployed.again(llm)
    deadline = time.monotonic() + 30
    while True:
        task = post(deployed.agent, "SendMessage", message("Hello"))["result"]["task"]
        if task["status"]["state"] == "TASK_STATE_COMPLETED":
            break
        assert time.monotonic() < deadline, task
        time.sleep(0.2)


def test_a_conversation_goes_on_after_kill_9_of_everything(deployed):
    first = post(deployed.agent, "SendMessage", message("My name is Ada."))["result"]["task"]
    processes = {**deployed.roles, "gateway": deployed.gateway}
    for server in processes.values():
        server.kill()
    restarted = {name: deployed.again(server) for name, server in processes.items()}
    wait_until_ready(restarted["gateway"])
    kept = post(deployed.agent, "GetTask", {"id": first["id"]})["result"]
    assert kept["status"] == first["status"]
    assert answer_of(kept) == answer_of(first)
    asked = message("What is my name?", contextId=first["contextId"])
    more = post(deployed.agent, "SendMessage", asked)["result"]["task"]
    assert "Ada" in answer_of(more), more
    for server in deployed.hector.servers:
        assert "Traceback" not in server.output()
