"""A server with a plugin: what it printed can be read, its secret nowhere; it never outlives the server."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.processes import HECTOR, Hector, Server, is_alive

SECRET = "sk-0f-the-v3ndor"
PLUGIN = """
import json, os, subprocess, sys
from hector.plugin.v1 import ConfigureResponse, GetInfoResponse, PluginServicer, ValidateConfigResponse
from hector.plugin.v1 import Component, PLUGIN_KIND_TOOL_PROVIDER, ShutdownResponse
from hector.tool.v1 import ListToolsResponse, ToolProviderServicer
from hector_plugin import serve


class Tools(ToolProviderServicer):
    async def ListTools(self, request, context):
        return ListToolsResponse(tools=[{"name": "shout", "parameters_json": "{}"}], revision="1")


class Careless(PluginServicer):
    async def GetInfo(self, request, context):
        tools = Component(kind=PLUGIN_KIND_TOOL_PROVIDER, service="hector.tool.v1.ToolProvider")
        return GetInfoResponse(name="careless", version="1.0.0", components=[tools])

    async def ValidateConfig(self, request, context):
        return ValidateConfigResponse()

    async def Configure(self, request, context):
        key = json.loads(request.config_json)["api_key"]
        print(json.dumps({"level": "warn", "msg": f"configured with {key}", "key": key}), file=sys.stderr)
        try:
            raise ValueError(f"bad key {key}")
        except ValueError:
            sys.excepthook(*sys.exc_info())
        return ConfigureResponse()


quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
child = subprocess.Popen(["sleep", "600"], start_new_session=True, **quiet)
os.environ.pop("HECTOR_STDIN_WATCH")  # it does not mind the end of its host
with open("pids", "w") as file:
    print(os.getpid(), child.pid, file=file, flush=True)
serve(Tools(), Careless())
"""
CONFIG = """
agents:
  assistant:
    instruction: Answer briefly.
    tools: [shout]
tools:
  shout:
    type: plugin:careless
    config: {tool_name: shout}
plugins:
  tool_providers:
    careless:
      path: ./careless.py
      config: {api_key: "${VENDOR_KEY}"}
"""


def test_what_a_plugin_printed_is_shown_without_its_secret(hector: Hector) -> None:
    server = with_plugin(hector)
    pids = pids_in(hector.folder)
    lines = shown(hector, server)
    assert [line["text"] for line in lines if line["level"] == 30] == ["configured with ***"]
    assert [line["text"] for line in lines if line["level"] == 40] == ["ValueError: bad key ***"]
    text = hector.run("plugin", "logs", "careless", "--url", server.url).stdout
    assert f"WARNING [1/{pids[0]}] configured with *** (key=***)" in text
    assert "\n    Traceback (most recent call last):\n" in text
    unknown = hector.run("plugin", "logs", "nobody", "--url", server.url)
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr
    followed = following(hector, server)
    assert "configured with ***" in followed
    server.stop()
    assert SECRET not in server.output()
    assert "configured with ***" in server.output()
    for pid in pids:
        assert not is_alive(pid)


def test_a_secret_of_a_plugin_can_be_read_off_no_process(hector: Hector) -> None:
    with_plugin(hector)
    for pid in pids_in(hector.folder):
        for name in ("environ", "cmdline"):
            assert SECRET.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_of_a_plugin_outlives_its_server(hector: Hector, number: signal.Signals) -> None:
    server = with_plugin(hector)
    pids = pids_in(hector.folder)
    assert all(is_alive(pid) for pid in pids)
    server.process.send_signal(number)
    server.process.wait(30)
    until = time.monotonic() + 30
    while any(is_alive(pid) for pid in pids) or left_in(hector.folder):
        assert time.monotonic() < until, (pids, left_in(hector.folder))
        time.sleep(0.02)


def with_plugin(hector: Hector) -> Server:
    """Start a server, and wait until its plugin is configured."""
    (hector.folder / "careless.py").write_text(PLUGIN)
    (hector.folder / "tmp").mkdir()
    hector.write(CONFIG)
    hector.environment = {**hector.environment, "VENDOR_KEY": SECRET, "TMPDIR": str(hector.folder / "tmp")}
    server = hector.serve()
    until = time.monotonic() + 60
    while not any(line["level"] == 40 for line in shown(hector, server)):
        assert time.monotonic() < until, server.output()
        time.sleep(0.05)
    return server


def shown(hector: Hector, server: Server) -> list[dict]:
    done = hector.run("plugin", "logs", "careless", "-f", "jsonl", "--url", server.url)
    assert done.returncode == 0, done.stderr + server.output()
    return [json.loads(line) for line in done.stdout.splitlines()]


def following(hector: Hector, server: Server) -> str:
    """Follow what a plugin prints until something is shown, and leave with Ctrl-C."""
    command = [HECTOR, "plugin", "logs", "careless", "--follow", "--url", server.url]
    with subprocess.Popen(
        command, cwd=hector.folder, env=dict(hector.environment), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = ""
        while "configured with" not in found:
            found += process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    return found


def pids_in(folder: Path) -> list[int]:
    return [int(word) for word in (folder / "pids").read_text().split()]


def left_in(folder: Path) -> list[str]:
    """Return what is left of plugins' private folders and notes."""
    places = (folder / "tmp", folder / ".hector/plugins/running")
    return [path.name for place in places if place.exists() for path in place.iterdir()]
