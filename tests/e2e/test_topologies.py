"""One process or many: the same answers, and a role that dies is named and comes back."""

import json
import time
import urllib.error
import urllib.request

import pytest

from support.processes import answer_of, message, post, wait_until_ready


def test_an_agent_answers_from_documents_and_cites_the_file(deployed):
    hector, server, _ = deployed
    answer = post(f"{server.url}/agents/assistant", "SendMessage", message("How do I start the zeppelin?"))
    task = answer["result"]["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED", answer
    assert "blue lever" in answer_of(task)
    assert "guide.md" in answer_of(task)
    called = hector.run("call", "--url", server.url, "What does the canteen serve on Tuesdays?")
    assert called.returncode == 0, called.stderr
    assert "lentil soup" in called.stdout
    assert "food.md" in called.stdout


def test_the_answer_streams_over_a2a_with_old_and_new_names(deployed):
    _, server, _ = deployed
    for version, method, params in (
        ("1.0", "SendStreamingMessage", message("How do I start the zeppelin?")),
        (
            "0.3",
            "message/stream",
            {
                "message": {
                    "kind": "message",
                    "messageId": "m",
                    "role": "user",
                    "parts": [{"kind": "text", "text": "How do I start the zeppelin?"}],
                }
            },
        ),
    ):
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
        headers = {"Content-Type": "application/json", "A2A-Version": version, "Accept": "text/event-stream"}
        request = urllib.request.Request(f"{server.url}/agents/assistant", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.headers["Content-Type"].startswith("text/event-stream")
            events = [json.loads(line[6:]) for line in response if line.startswith(b"data: ")]
        assert all(event["id"] == 7 for event in events)
        assert len(events) >= 3
        assert "blue lever" in json.dumps(events)
        last = json.dumps(events[-1])
        assert "TASK_STATE_COMPLETED" in last if version == "1.0" else '"completed"' in last


def test_a_conversation_goes_on_after_kill_9_of_everything(deployed):
    hector, server, roles = deployed
    first = post(f"{server.url}/agents/assistant", "SendMessage", message("My name is Ada."))["result"][
        "task"
    ]
    for process in (server, *roles.values()):
        process.kill()
    arguments = [server_.process.args[2:] for server_ in (*roles.values(), server)]
    urls = [server_.url for server_ in (*roles.values(), server)]
    again = [hector.start(*command, url=url) for command, url in zip(arguments, urls, strict=True)][-1]
    wait_until_ready(again)
    kept = post(f"{again.url}/agents/assistant", "GetTask", {"id": first["id"]})["result"]
    assert kept["status"]["state"] == "TASK_STATE_COMPLETED"
    assert answer_of(kept) == answer_of(first)
    more = post(
        f"{again.url}/agents/assistant",
        "SendMessage",
        message("What is my name?", contextId=first["contextId"]),
    )["result"]["task"]
    assert "Ada" in answer_of(more), more


@pytest.mark.parametrize("deployed", ["unix sockets", "tcp"], indirect=True)
def test_a_role_that_is_down_is_named_and_used_again_when_it_is_back(deployed):
    hector, server, roles = deployed
    url = f"{server.url}/agents/assistant"
    assert (
        post(url, "SendMessage", message("Hello"))["result"]["task"]["status"]["state"]
        == "TASK_STATE_COMPLETED"
    )
    llm = roles["llm"]
    llm.kill()
    failed = post(url, "SendMessage", message("Hello"))["result"]["task"]
    assert failed["status"]["state"] == "TASK_STATE_FAILED"
    assert "llm" in json.dumps(failed["status"]["message"]), failed
    with pytest.raises(urllib.error.HTTPError) as not_ready:
        urllib.request.urlopen(f"{server.url}/ready", timeout=10)
    assert "llm" in not_ready.value.read().decode()
    hector.start(*llm.process.args[2:])
    deadline = time.monotonic() + 30
    while True:
        task = post(url, "SendMessage", message("Hello"))["result"]["task"]
        if task["status"]["state"] == "TASK_STATE_COMPLETED":
            break
        assert time.monotonic() < deadline, task
        time.sleep(0.2)
