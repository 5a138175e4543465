"""Ours: docs/sessions.md does what it says."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sessions.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python (\S+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
CONFIG = re.search(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(*command: str) -> str:
    done = subprocess.run(
        command,
        env=os.environ | {"NO_PROXY": "*", "no_grpc_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_does_what_it_says(hector):
    assert CONFIG is not None
    for name, text in FILES.items():
        hector.write(text, name)
    hector.write(CONFIG[1])
    url = hector.serve("-c", "hector.yaml").url

    def asked(name: str) -> str:
        return run("sh", "-c", COMMANDS[name].replace("localhost:8080", url.removeprefix("http://")))

    assert json.loads(asked("create"))["state"] == {"city": "Rome", "user:name": "Ann"}
    assert [json.loads(asked("append")) for _ in range(2)] == [{"position": 2}] * 2
    task = json.loads(asked("turn"))["task"]
    assert task["artifacts"][0]["parts"][0]["text"] == "Hello Ann, turn 1."
    shown = json.loads(asked("get"))
    told = [message["parts"][0]["text"] for message in shown["messages"]]
    assert told == ["Give me a map", "Hello Ann, turn 1."]
    assert shown["state"]["likes"] == ["fountains"]
    (kept,) = json.loads(asked("list"))["artifacts"]
    assert (kept["name"], kept["version"]) == ("map.txt", 1)
    assert asked("load") == "a map"
    assert json.loads(asked("save"))["version"] == 2
    assert asked("load") == "a better map"
    with urllib.request.urlopen(f"{url}/agents/guide", timeout=10) as answer:
        card = json.load(answer)
    address = next(one["url"] for one in card["supportedInterfaces"] if one["protocolBinding"] == "GRPC")
    told = run(sys.executable, str(hector.folder / "artifacts.py"), address)
    assert told == "2 a better map\n"
