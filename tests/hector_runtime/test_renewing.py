"""What of another config a running process takes over, and what waits for a restart."""

from pathlib import Path

import pytest

from hector_config import load
from hector_runtime.config import Config
from hector_runtime.renewing import PluginStillNeeded, WaitsForRestart, changes, held, waiting
from hector_runtime.roles import ROLES

ALL = tuple(ROLES)
BEFORE = """
name: before
agents:
  a.b: {instruction: one}
  gone: {}
llms:
  default: {provider: local}
document_stores:
  docs: {source: {type: directory, path: .}}
server: {port: 8080, a2a: {card: dual}}
"""


def config(text: str) -> Config:
    return load(text, Config, environment={}).config


def test_agents_models_tools_and_cards_are_taken_over_and_nothing_else():
    before = config(BEFORE)
    wanted = config(
        BEFORE.replace("before", "after")
        .replace("a2a: {", "a2a: {push: {max_attempts: 7}, ")
        .replace("port: 8080", "port: 8081, limits: {max_streams: 7}")
        .replace("card: dual", 'card: "1.0"')
        .replace("instruction: one", "instruction: two")
        .replace("gone:", "new:")
        .replace("default: {", "mine: {provider: local}\n  default: {")
        + "logger: {level: debug}\ntools: {todo_write: }\ndefaults: {llm: mine}\n"
    )
    taken = held(before, wanted)
    assert (taken.name, taken.agents, taken.llms, taken.tools) == (
        "after",
        wanted.agents,
        wanted.llms,
        wanted.tools,
    )
    assert (taken.server.port, taken.server.a2a.card) == (8080, "1.0")
    assert taken.server.a2a.push.max_attempts == 7
    assert taken.server.limits == before.server.limits
    assert taken.logger == before.logger
    assert taken.defaults.llm == "mine"
    assert waiting(before, wanted, ALL) == [
        "server.port",
        "server.limits.max_streams",
        "logger.level",
    ]


def test_changes_are_told_by_entry_for_the_roles_that_are_here():
    before = config(BEFORE)
    after = config(
        BEFORE.replace("n: one", "n: two")
        .replace("gone:", "new:")
        .replace("{provider: local}", "{provider: ollama}")
    )
    assert changes(before, after, ["agent"]) == [
        "agents.a.b changed",
        "agents.gone removed",
        "agents.new added",
    ]
    assert changes(before, after, ["llm"]) == ["llms.default changed"]
    assert changes(before, before, ALL) == []


def test_what_waits_is_told_by_the_process_that_it_concerns():
    before = config(BEFORE)
    wanted = config(
        BEFORE.replace("8080", "1") + "storage: {database: inmemory}\nmesh: {llm: 'dns:///l:1'}\n"
    )
    assert waiting(before, wanted, ["llm"]) == ["mesh.llm"]
    assert waiting(before, wanted, ["agent"]) == ["storage.database", "mesh.llm"]
    pushing = config(BEFORE.replace("a2a: {", "a2a: {push: {max_attempts: 7}, "))
    for role in ("agent", "gateway"):
        assert changes(before, pushing, [role]) == ["server.a2a.push.max_attempts changed"]
    assert waiting(before, wanted, ["gateway"]) == ["server.port", "mesh.llm"]


def test_an_agent_that_needs_what_waits_is_refused_by_name():
    wanted = config(
        BEFORE.replace("gone: {}", "gone: {document_stores: [more]}").replace(
            "server:", "  more: {source: {type: directory, path: ./more}}\nserver:"
        )
    )
    with pytest.raises(WaitsForRestart, match=r"agents\.gone searches document_stores\.more"):
        held(config(BEFORE), wanted)


PLUGINS = """
plugins:
  folder: .hector/plugins
  embedder_providers: {old: {address: "unix:/run/old"}, new: {address: "unix:/run/new"}}
embedders: {default: {provider: "plugin:old"}}
document_stores: {docs: {source: {path: .}}}
"""


def test_an_embedder_keeps_its_plugin_until_a_restart_and_that_is_said():
    before = config(PLUGINS)
    wanted = config(PLUGINS.replace("plugin:old", "plugin:new").replace(".hector/plugins", "elsewhere"))
    taken = held(before, wanted)
    assert taken.embedders["default"].provider == "plugin:old"
    assert taken.plugins.folder == before.plugins.folder
    assert waiting(before, wanted, ALL) == ["embedders.default.provider", "plugins.folder"]


@pytest.mark.parametrize(
    "change", [("old: {address", "gone: {address"), ("old: {", "old: {enabled: false, ")]
)
def test_a_plugin_that_is_needed_until_a_restart_cannot_leave_before(change: tuple[str, str]):
    wanted = config(PLUGINS.replace("plugin:old", "plugin:new").replace(*change))
    why = r"embedders\.default\.provider uses plugin 'old' until the server is restarted.*embedder_providers"
    with pytest.raises(PluginStillNeeded, match=why):
        held(config(PLUGINS), wanted)


def test_the_operations_page_names_everything_that_is_taken_over():
    page = (Path(__file__).parents[2] / "docs/operations.md").read_text(encoding="utf-8")
    table = page[page.index("| what changed | takes effect |") : page.index("| everything else |")]
    for role in ROLES.values():
        for key in role.takes_over:
            assert f"`{key}`" in table
