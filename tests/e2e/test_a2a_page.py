"""Ours: the commands of docs/a2a.md do what the page says, word by word."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from support.processes import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "a2a.md"
PROGRAM = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONFIG = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(heading: str) -> list[str]:
    """Return the commands of one section."""
    return COMMAND.findall(section(heading))


def section(heading: str) -> str:
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return next(one for one in sections if one.startswith(heading + "\n"))


def run(command: str, url: str, **more: str) -> str:
    done = subprocess.run(
        ["sh", "-c", command.replace("localhost:8080", url.removeprefix("http://"))],
        env=os.environ | {"NO_PROXY": "*"} | more,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def test_the_commands_over_http_json_do_what_the_page_says(hector):
    send, get, listed, stream, error, old, bare, old_list = commands("Over HTTP+JSON")
    url = hector.serve().url
    task = json.loads(run(send, url))["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert task["artifacts"]
    found = json.loads(run(get, url, TASK=task["id"]))
    assert found["id"] == task["id"]
    assert len(found["history"]) <= 2
    page = json.loads(run(listed, url))
    assert [one["id"] for one in page["tasks"]] == [task["id"]]
    assert page["tasks"][0]["artifacts"]
    events = run(stream, url).strip().split("\n\n")
    assert events[0].startswith("retry: 1000\nid: ")
    first, last = (json.loads(event.partition("data: ")[2]) for event in (events[0], events[-1]))
    assert "task" in first
    assert last["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    refused = json.loads(run(error, url))["error"]
    assert (refused["code"], refused["message"]) == (404, "no task 'nothing' is known here")
    for command in (old, bare):
        assert json.loads(run(command, url))["status"]["state"] == "completed"
    tasks = json.loads(run(old_list, url))["tasks"]
    assert [one["kind"] for one in tasks] == ["task"] * 4


def test_the_programs_over_grpc_do_what_the_page_says(hector):
    server = hector.serve()
    card = json.loads(run("curl -s localhost:8080/agents/assistant", server.url))
    address = next(one["url"] for one in card["supportedInterfaces"] if one["protocolBinding"] == "GRPC")
    new, old = PROGRAM.findall(section("Over gRPC"))
    for program in (new, old):
        assert "localhost:50051" in program
        done = subprocess.run(
            [sys.executable, "-c", program.replace("localhost:50051", address)],
            env=os.environ | {"NO_PROXY": "*", "no_grpc_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "run" in done.stdout


def test_agents_offer_what_the_page_says(hector):
    (config,) = CONFIG.findall(section("What an agent offers"))
    hector.write(config)
    url = hector.serve("--config", "hector.yaml").url
    stream, picture = commands("What an agent offers")
    with_extension, without = commands("Extensions")
    refused = json.loads(run(stream, url))["error"]
    assert refused["message"] == "agent 'clerk' does not stream; use SendMessage and GetTask"
    assert refused["details"][0]["reason"] == "UNSUPPORTED_OPERATION"
    refused = json.loads(run(picture, url))["error"]
    assert refused["details"][0]["reason"] == "CONTENT_TYPE_NOT_SUPPORTED"
    assert "message.parts[0]: media type 'image/png'" in refused["message"]
    head, _, body = run(with_extension, url).replace("\r", "").partition("\n\n")
    assert "a2a-extensions: https://example.com/ext/forms/v1\n" in f"{head}\n".lower()
    assert json.loads(body)["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert json.loads(run(without, url))["error"]["code"] == -32008
    card = json.loads(run("curl -s localhost:8080/agents/clerk", url))
    assert card["capabilities"]["extensions"][0]["params"] == {"languages": ["en", "de"]}
    assert {one["protocolVersion"] for one in card["supportedInterfaces"]} == {"1.0"}
    assert card["provider"] == {"organization": "Example", "url": "https://example.com"}


def test_a_stream_that_broke_off_goes_on_as_the_page_says(hector):
    url = hector.serve().url
    cut, over_rest, over_rpc = commands("Streams that break off")
    first = events_in(run(cut, url))[0]
    task, place = first[1]["task"]["id"], first[0]
    for command in (over_rest, over_rpc):
        found = [
            (at, one.get("result", one)) for at, one in events_in(run(command, url, TASK=task, PLACE=place))
        ]
        assert (found[0][0], found[0][1]["task"]["id"]) == (place, task)
        assert found[-1][1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        told = [one["artifactUpdate"]["artifact"]["parts"] for _, one in found if "artifactUpdate" in one]
        assert "".join(part["text"] for parts in told for part in parts)


def events_in(text: str) -> list[tuple[str, dict]]:
    """Return place and data of each event."""
    blocks = [dict(line.split(": ", 1) for line in one.splitlines()) for one in text.strip().split("\n\n")]
    return [(one["id"], json.loads(one["data"])) for one in blocks]


def test_a_webhook_is_told_as_the_page_says(hector):
    (config,), (webhook,) = (one.findall(section("Push notifications")) for one in (CONFIG, PROGRAM))
    (send,) = commands("Push notifications")
    hector.write(config)
    server, port = hector.serve("--config", "hector.yaml"), str(free_port())
    with subprocess.Popen(
        [sys.executable, "-c", webhook, port], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as receiver:
        try:
            task = json.loads(run(send.replace(":9000/", f":{port}/"), server.url))["task"]
            assert receiver.stdout is not None
            first = receiver.stdout.readline()
            assert task["id"] in first
            last = next(line for line in receiver.stdout if "TASK_STATE_COMPLETED" in line)
            assert "statusUpdate" in last
        finally:
            receiver.kill()


def test_the_command_line_asks_over_every_transport_as_the_page_says(hector):
    (commanded,) = commands("From the command line")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = run(commanded, hector.serve().url, PATH=path)
    assert told.count("completed") == 3  # the list has all three
    assert told.count("I cannot answer “What is a run?”") == 3
