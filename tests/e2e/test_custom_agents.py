"""Ours: agents from code, as docs/agents-from-code.md shows them, on a server that may be killed."""

import inspect
import json
import os
import re
import subprocess
from pathlib import Path

from support.processes import answer_of, message, post

from hector_agent.custom import saying

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "agents-from-code.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python (\S+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
CONFIGS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_has_the_words_with_what_they_take():
    (listed,) = re.findall(r"^```python signatures\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    words = (
        word
        for word in vars(saying).values()
        if inspect.isfunction(word) and word.__module__ == saying.__name__
    )
    found = set()
    for word in words:
        if word.__name__.startswith("_"):
            continue
        taken = inspect.signature(word).parameters.values()
        bare = [one.replace(annotation=inspect.Parameter.empty) for one in taken if one.name != "metadata"]
        found.add(word.__name__ + str(inspect.Signature(bare)).replace("'", '"'))
    assert set(listed.splitlines()) == found


def served(hector, *configs):
    """Serve the page's agents: its files beside one config that has all of them."""
    for name, text in FILES.items():
        hector.write(text, name)
    agents = "".join(config.removeprefix("agents:\n") for config in configs)
    plain = "  plain: {type: custom, handler: plain:answer}\n"
    hector.write(f"agents:\n{agents}{plain}")
    return hector.serve("-c", "hector.yaml")


def run(command, url, **more):
    done = subprocess.run(
        ["sh", "-c", command.replace("localhost:8080", url.removeprefix("http://"))],
        env=os.environ | {"NO_PROXY": "*"} | more,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_page_does_what_it_says(hector):
    echo, ask, tell = COMMANDS
    checked = hector.run("validate", "hector.yaml") if hector.write(CONFIGS[0]) else None
    assert "no module 'handlers'" in checked.stderr
    server = served(hector, *CONFIGS)
    assert hector.run("validate", "hector.yaml").returncode == 0
    assert answer_of(run(echo, server.url)["task"]) == "You said: hello"
    asked = run(ask, server.url)["task"]
    assert asked["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    told = asked["status"]["message"]["parts"][0]["text"]
    assert told == "For how many? Last time it was nobody."
    done = run(tell, server.url, TASK=asked["id"])["task"]
    assert done["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [artifact["name"] for artifact in done["artifacts"]] == ["booking", "answer"]
    assert done["artifacts"][0]["parts"][0]["data"] == {"guests": 4, "wish": "a table by the window"}
    assert answer_of(done) == "Booked for 4: a table by the window"
    again = post(f"{server.url}/agents/tables", "SendMessage", message("again", contextId=done["contextId"]))
    assert "Last time it was 4." in json.dumps(again)
    plain = post(f"{server.url}/agents/plain", "SendMessage", message("Is it"))["result"]["message"]
    assert plain["parts"] == [{"text": "Is it? Yes."}]


def test_a_task_asks_at_one_door_and_is_answered_at_another(hector):
    server = served(hector, *CONFIGS)
    asked = post(f"{server.url}/agents/tables", "SendMessage", message("a table"))["result"]["task"]
    params = {
        "message": {
            "kind": "message",
            "messageId": "2",
            "role": "user",
            "taskId": asked["id"],
            "parts": [{"kind": "text", "text": "many"}],
        }
    }
    old = f"{server.url}/agents/tables"
    unclear = post(old, "message/send", params, version="0.3")["result"]
    assert (unclear["kind"], unclear["id"]) == ("task", asked["id"])
    assert unclear["status"]["state"] == "input-required"
    done = post(f"{server.url}/agents/tables", "SendMessage", message("2", taskId=asked["id"]))["result"]
    assert answer_of(done["task"]) == "Booked for 2: a table"
    told = [one["parts"][0]["text"] for one in done["task"]["history"] if one["role"] == "ROLE_USER"]
    assert told == ["a table", "many", "2"]


def test_a_task_that_waits_survives_a_kill(hector):
    server = served(hector, *CONFIGS)
    url = f"{server.url}/agents/tables"
    asked = post(url, "SendMessage", message("a table"))["result"]["task"]
    server.kill()
    server = hector.serve("-c", "hector.yaml")
    url = f"{server.url}/agents/tables"
    found = post(url, "GetTask", {"id": asked["id"]})["result"]
    assert found == asked
    done = post(url, "SendMessage", message("3", taskId=asked["id"]))["result"]["task"]
    assert (done["id"], done["contextId"]) == (asked["id"], asked["contextId"])
    assert answer_of(done) == "Booked for 3: a table"


def test_code_that_cannot_be_used_stops_the_start_with_its_line(hector):
    hector.write("agents:\n  a: {type: custom, handler: handlers:answer}\n")
    hector.write("async def answer(turn):\n    yield turn.text\nraise ValueError('at once')\n", "handlers.py")
    server = hector.start("-c", "hector.yaml", "--port", "0", "--grpc-port", "0")
    assert server.process.wait(30) == 1
    told = server.output()
    assert "hector.yaml:2:30: agents.a.handler: module 'handlers' cannot be imported: " in told
    assert "handlers.py:3: ValueError: at once" in told
    assert "Traceback" not in told


def test_the_command_line_answers_a_task_that_asks(hector):
    server = served(hector, *CONFIGS)
    asked = hector.run("call", "--url", server.url, "--format", "json", "tables", "a table")
    assert asked.returncode == 5
    task = json.loads(asked.stdout)["task"]
    told = hector.run("call", "--url", server.url, "--task", task, "tables", "4")
    assert told.returncode == 0
    assert told.stdout.endswith("Booked for 4: a table\n")
    talk = hector.run("chat", "--url", server.url, "tables", text="a table\nmany\n3\nanother\n")
    assert talk.stdout.count("Booked for 3: a table") == 1
    assert "'many' is no number" in talk.stdout
    assert "Last time it was 3." in talk.stdout
