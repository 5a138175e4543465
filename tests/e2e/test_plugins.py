"""Issue 7, commands: the plugins of a server, looked after from the command line."""

import json

import pytest
from support.processes import Hector, Server, is_alive

UPPER = """
from hector_plugin import serve, tool


@tool
def upper(text: str) -> str:
    "Uppercase a text"
    return text.upper()


serve(name="upper", version="{version}")
"""
CONFIG = """
plugins:
  tool_providers:
    up: {path: ./upper.py}
    bad: {path: ./bad.py, restart: {max_crashes: 1}}
tools:
  shout: {type: "plugin:up", config: {tool_name: upper}}
  other: {type: "plugin:bad", config: {tool_name: x}}
llms: {default: {provider: local}}
agents: {helper: {}}
storage: {database: inmemory}
"""


@pytest.fixture
def server(hector: Hector) -> Server:
    hector.write(UPPER.format(version="1.0.0"), "upper.py")
    hector.write("raise SystemExit('no licence')\n", "bad.py")
    hector.write(CONFIG)
    return hector.serve()


def listed(hector: Hector, server: Server) -> dict[str, dict]:
    done = hector.run("plugin", "list", "--url", server.url, "-f", "json")
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["plugins"]}


def settled(hector: Hector, server: Server, name: str) -> dict:
    """Return a plugin once it is ready, or is known not to be: a server does not wait for its plugins."""
    for _ in range(100):
        found = listed(hector, server)[name]
        if found["state"] in ("ready", "failed"):
            return found
    raise AssertionError(f"{name} is {found['state']}: {found['reason']}")


def test_plugins_are_listed_replaced_and_ended_with_their_server(hector: Hector, server: Server) -> None:
    before = settled(hector, server, "up")
    assert (before["state"], before["version"]) == ("ready", "1.0.0")
    first = before["replicas"][0]["pid"]
    hector.write(UPPER.format(version="2.0.0"), "upper.py")
    done = hector.run("plugin", "reload", "up", "--url", server.url)
    assert (done.returncode, done.stdout) == (0, "up is replaced: ready, generation 2\n"), done.stderr
    after = listed(hector, server)["up"]
    assert after["version"] == "2.0.0"
    second = after["replicas"][0]["pid"]
    assert second != first
    assert hector.run("plugin", "restart", "up", "--url", server.url).returncode == 0
    third = listed(hector, server)["up"]["replicas"][0]["pid"]
    assert server.stop() == 0
    assert [pid for pid in (first, second, third) if is_alive(pid)] == []


def test_a_plugin_that_fails_leaves_a_server_that_says_so(hector: Hector, server: Server) -> None:
    done = hector.run("plugin", "restart", "bad", "--url", server.url)
    assert done.returncode != 0
    assert "no licence" in done.stderr
    assert "Traceback" not in done.stderr
    health = hector.run("plugin", "list", "--url", server.url).stdout
    assert "no licence" in health
    assert settled(hector, server, "up")["state"] == "ready"


def test_what_cannot_be_run_is_refused_at_its_line(hector: Hector) -> None:
    hector.write(CONFIG.replace("./bad.py", "./upper.py").replace("./upper.py}", "./uper.py}"))
    hector.write(UPPER.format(version="1.0.0"), "upper.py")
    done = hector.run("serve", "--port", "0", "--grpc-port", "0")
    assert done.returncode != 0
    assert "hector.yaml:4:16: plugins.tool_providers.up.path: there is no file" in done.stderr
    assert 'did you mean "upper.py"?' in done.stderr
