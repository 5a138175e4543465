"""The config of a running server: which revision it is, what it says of itself, and what SIGHUP does."""

import json
import re
import signal
import time
import urllib.request
from pathlib import Path

from support.processes import Hector, Server

SECRET, PASSWORD = "sk-written-out-1", "sk-from-environment"
CONFIG = f"""\
# comments stay
llms:
  default: {{provider: local, api_key: {SECRET}}}
  other: {{provider: openai, api_key: "${{KEY}}"}}
agents:
  helper: {{llm: default, instruction: "costs $5 at $HOME"}}
"""


def page(server: Server, path: str) -> dict:
    with urllib.request.urlopen(server.url + path, timeout=20) as answer:
        found: dict = json.load(answer)
        return found


def wait_for(server: Server, words: str, seconds: float = 20) -> str:
    deadline = time.monotonic() + seconds
    while words not in server.output():
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.05)
    return server.output()


def test_a_server_knows_its_revision_and_shows_no_secret(hector: Hector, folder: Path) -> None:
    hector.environment = {**hector.environment, "KEY": PASSWORD}
    hector.write(CONFIG)
    server = hector.serve()
    shown = page(server, "/api/config")
    assert (shown["number"], shown["applicable"], shown["source"]) == (1, False, str(folder / "hector.yaml"))
    assert shown["config"]["agents"]["helper"]["instruction"] == "costs $5 at $HOME"
    assert f"revision 1 ({shown['revision'][:12]})" in server.output()
    (listed,) = page(server, "/api/config/revisions")["revisions"]
    assert listed["revision"] == shown["revision"]
    kept = page(server, "/api/config/revisions/1")
    assert "# comments stay" in kept["text"]
    assert '"${KEY}"' in kept["text"]
    told = json.dumps([shown, listed, kept]) + server.output()
    assert SECRET not in told
    assert PASSWORD not in told
    assert page(server, "/schema") == page(server, "/api/schema") == json.loads(hector.run("schema").stdout)
    told = hector.run("info", "--url", server.url)
    assert re.search(rf"revision +{shown['revision']}\n", told.stdout), told
    assert re.search(r"number +1\n", told.stdout)
    assert server.stop() == 0
    for file in (folder / ".hector").iterdir():
        assert SECRET.encode() not in file.read_bytes(), file

    again = hector.serve()
    assert page(again, "/api/config")["number"] == 1
    assert again.stop() == 0
    hector.write(CONFIG.replace("comments stay", "another"))
    changed = hector.serve()
    assert page(changed, "/api/config")["number"] == 2
    info = hector.run("info", "--config", "hector.yaml", "-f", "json")
    assert json.loads(info.stdout)["revision"] == page(changed, "/api/config")["revision"]


def test_hangup_reads_the_config_again_and_ends_nothing(hector: Hector) -> None:
    hector.write("name: one\n")
    server = hector.serve()
    running = page(server, "/api/config")["revision"]
    server.process.send_signal(signal.SIGHUP)
    wait_for(server, "config read again, it has not changed")

    hector.write("nmae: two\nserver: {prot: 1}\n")
    server.process.send_signal(signal.SIGHUP)
    said = wait_for(server, "server.prot: unknown key")
    assert "config refused, nothing was changed" in said
    assert "hector.yaml:1:1: nmae: unknown key" in said

    assert page(server, "/api/config")["revision"] == running

    hector.write("name: two\nserver: {request_timeout: 17s}\n")
    server.process.send_signal(signal.SIGHUP)
    said = wait_for(server, "part of the config waits for a restart")
    assert re.search(r"config was applied .*changes=none", said)
    assert "keys=server.request_timeout" in said
    shown = page(server, "/api/config")
    assert shown["revision"] != running
    assert (shown["number"], shown["config"]["name"]) == (2, "two")
    assert shown["config"]["server"]["request_timeout"] != 17
    assert shown["needs_restart"] == ["server.request_timeout"]

    (hector.folder / "hector.yaml").unlink()
    server.process.send_signal(signal.SIGHUP)
    wait_for(server, "cannot be read: No such file or directory")
    assert server.stop() == 0


def test_a_server_without_a_file_says_that_there_is_nothing_to_read(hector: Hector) -> None:
    server = hector.serve()
    server.process.send_signal(signal.SIGHUP)
    wait_for(server, "runs without a config file")
    assert server.stop() == 0
