"""Issue 7: what a file says of plugins, in all shapes, and what its host is told."""

import json
import sys
from pathlib import Path

import pytest

from hector_config import ConfigInvalid, dump
from hector_plugin.conformance.badge import KIT
from hector_plugin_host import PluginPlan
from hector_runtime.config import Config, load_config
from hector_runtime.plugins.checking import check_plugins
from hector_runtime.plugins.manifest import suits
from hector_runtime.plugins.plans import PluginUnusable, plans_of
from hector_runtime.plugins.trust import sha256_of
from hector_runtime.roles import ROLES

TOOL = 'tools: {t: {type: "plugin:up", config: {tool_name: upper, n: 3}}}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "up.py").write_text("print()\n")
    program = tmp_path / "up"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def config_of(folder: Path, text: str, **environment: str) -> Config:
    (folder / "hector.yaml").write_text(text)
    return load_config(folder / "hector.yaml", environment).config


def plan_of(folder: Path, text: str, **environment: str) -> PluginPlan:
    (plan,) = plans_of(config_of(folder, text, **environment), ROLES)
    return plan


def problems(folder: Path, text: str) -> list[str]:
    (folder / "hector.yaml").write_text(text)
    try:
        check_plugins(load_config(folder / "hector.yaml", {"API_KEY": "sk-from-outside"}))
    except ConfigInvalid as error:
        return [str(problem).removeprefix(f"{folder}/") for problem in error.problems]
    return []


SHAPES = {
    "canonical": "plugins: {tool_providers: {up: {path: ./up}}}",
    "with type and enabled": "plugins: {tool_providers: {up: {type: grpc, path: ./up, enabled: true}}}",
    "with its name again": "plugins: {tool_providers: {up: {name: up, type: grpc, path: ./up}}}",
    "a list": "plugins: {tools: [{name: up, protocol: grpc, path: ./up, config: {}}]}",
    "kindless": "plugins: {up: {path: ./up}}",
    "security apart": "plugins: {tool_providers: {up: {path: ./up}}, up: {security: {timeout: 30s}}}",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_that_was_ever_printed_is_the_same_plugin(shape: str, folder: Path) -> None:
    plan = plan_of(folder, f"{SHAPES[shape]}\n{TOOL}")
    assert (plan.name, plan.mode, plan.command) == ("up", "spawn", (str(folder / "up"),))
    assert plan.security.timeout_s == (30 if shape == "security apart" else 0)


@pytest.mark.parametrize("endpoint", ["127.0.0.1:8081", "http://127.0.0.1:8081", "http://127.0.0.1:8081/"])
def test_the_guides_yaml_is_a_program_at_a_port_of_its_own(folder: Path, endpoint: str) -> None:
    plan = plan_of(
        folder,
        "plugins:\n  llm_providers:\n    custom_llm:\n      type: grpc\n      path: ./up\n      config:\n"
        f'        endpoint: "{endpoint}"\n        timeout: 30s\n        max_iterations: 20\n'
        "llms:\n  custom: {type: 'plugin:custom_llm'}\n",
    )
    assert (plan.mode, plan.address, plan.security.timeout_s) == ("listen", "127.0.0.1:8081", 30)
    assert json.loads(plan.config_json) == {"timeout": "30s", "max_iterations": 20}


@pytest.mark.parametrize(
    ("entry", "kept"),
    [("path: ./up", ".hector/plugins/data/up"), ("address: '127.0.0.1:9', mode: attach", None)],
)
def test_only_what_is_started_here_has_a_data_folder(folder: Path, entry: str, kept: str | None) -> None:
    plan = plan_of(folder, f"plugins: {{tool_providers: {{up: {{{entry}}}}}}}\n{TOOL}")
    assert plan.data_dir == (folder / kept if kept else None)


def test_a_kindless_plugin_is_what_refers_to_it(folder: Path) -> None:
    config = config_of(folder, "plugins: {mine: {path: ./up}}\nllms: {m: {provider: 'plugin:mine'}}\n")
    assert list(config.plugins.llm_providers) == ["mine"]


def test_settings_keep_their_types_and_each_reference_is_an_instance(folder: Path) -> None:
    plan = plan_of(
        folder,
        "plugins:\n  tool_providers:\n    up:\n      path: ./up\n"
        "      config: {n: 1, on: true, x: 0.5, deep: {a: [1, null]}}\n"
        f"{TOOL}  \n",
    )
    assert json.loads(plan.config_json) == {"n": 1, "on": True, "x": 0.5, "deep": {"a": [1, None]}}
    (instance,) = plan.instances
    assert instance.name == "tools.t"
    assert json.loads(instance.config_json) == {"tool_name": "upper", "n": 3}


def test_a_component_travels_with_its_reference(folder: Path) -> None:
    plan = plan_of(
        folder,
        "plugins: {llm_providers: {a: {path: ./up}}}\nllms: {m: {provider: 'plugin:a:small', model: x}}\n",
    )
    (instance,) = plan.instances
    assert (instance.name, instance.component) == ("llms.m", "small")
    assert json.loads(instance.config_json) == {"model": "x"}


def test_secrets_are_known_to_the_plan_and_shown_to_nobody(folder: Path) -> None:
    text = (
        "plugins:\n  llm_providers:\n    a:\n      path: ./up\n"
        "      config: {api_key: sk-written-out, region: '${REGION}', limit: 5}\n"
        "llms: {m: {provider: 'plugin:a', api_key: '${KEY}'}}\n"
    )
    plan = plan_of(folder, text, REGION="eu-central-1", KEY="sk-from-outside")
    assert plan.secrets == {"sk-written-out", "eu-central-1", "sk-from-outside"}
    assert "sk-" not in repr(plan)
    assert "eu-central" not in repr(plan)
    loaded = load_config(folder / "hector.yaml", {"REGION": "eu-central-1", "KEY": "sk-from-outside"})
    assert not any(secret in dump(loaded) + repr(loaded.config) for secret in plan.secrets)


def test_what_nobody_refers_to_does_not_run(folder: Path) -> None:
    assert plans_of(config_of(folder, "plugins: {tool_providers: {up: {path: ./nowhere}}}\n"), ROLES) == ()


def test_a_tool_that_is_switched_off_starts_nothing(folder: Path) -> None:
    off = TOOL.replace("type:", "enabled: false, type:")
    config = config_of(folder, f"plugins: {{tool_providers: {{up: {{path: ./up}}}}}}\n{off}")
    assert plans_of(config, ROLES) == ()


def test_only_roles_of_this_process_have_plugins(folder: Path) -> None:
    config = config_of(
        folder,
        "plugins: {tool_providers: {up: {path: ./up}}, llm_providers: {m: {path: ./up.py}}}\n"
        f"{TOOL}llms: {{default: {{provider: 'plugin:m'}}}}\n",
    )
    assert [plan.name for plan in plans_of(config, ["tool", "agent"])] == ["up"]
    assert [plan.name for plan in plans_of(config, ["llm"])] == ["m"]


@pytest.mark.parametrize(
    ("entry", "mode", "command"),
    [
        ("path: ./up", "spawn", ("{folder}/up",)),
        ("path: ./up.py, args: [-v, 1]", "spawn", ("{python}", "{folder}/up.py", "-v", "1")),
        ("python: json.tool", "spawn", ("{python}", "-m", "json.tool")),
        ("path: ./up, address: '127.0.0.1:81'", "listen", ("{folder}/up",)),
        ("address: 'unix:/run/x.sock'", "attach", ()),
        ("address: /run/sockets, mode: watch", "watch", ()),
    ],
)
def test_how_a_plugin_is_reached(entry: str, mode: str, command: tuple[str, ...], folder: Path) -> None:
    plan = plan_of(folder, f"plugins: {{tool_providers: {{up: {{{entry}}}}}}}\n{TOOL}")
    expected = tuple(word.format(folder=folder, python=sys.executable) for word in command)
    assert (plan.mode, plan.command) == (mode, expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"plugins: {{tool_providers: {{upp: {{path: ./up}}}}}}\n{TOOL}",
         'hector.yaml:2:19: tools.t.type: no plugin is called "up": declare it under plugins.tool_providers '
         '(did you mean "upp"?)'),
        (f"plugins: {{llm_providers: {{up: {{path: ./up}}}}}}\n{TOOL}",
         'plugin "up" is plugins.llm_providers, and what is needed here is plugins.tool_providers'),
        (f"plugins: {{tool_providers: {{up: {{path: ./up, enabled: false}}}}}}\n{TOOL}", "is not enabled"),
        (f"plugins: {{tool_providers: {{up: {{path: ./upp}}}}}}\n{TOOL}",
         'hector.yaml:1:39: plugins.tool_providers.up.path: there is no file'),
        (f"plugins: {{tool_providers: {{up: {{}}}}}}\n{TOOL}", "discovery found no manifest of that name"),
        (f"plugins: {{tool_providers: {{up: {{path: ./up, python: x}}}}}}\n{TOOL}", "path, or python"),
        (f"plugins: {{tool_providers: {{up: {{path: ./up, env: {{API_KEY: x}}}}}}}}\n{TOOL}",
         "secrets stand in no environment (write it under config"),
        (f"plugins: {{tool_providers: {{up: {{path: ./up, env: {{X: '${{API_KEY}}'}}}}}}}}\n{TOOL}",
         "plugins.tool_providers.up.env.X: secrets stand in no environment"),
        (f"plugins: {{tool_providers: {{up: {{path: ./up, args: ['${{API_KEY}}']}}}}}}\n{TOOL}",
         "plugins.tool_providers.up.args[0]: secrets stand in no argument"),
        (f"plugins: {{tool_providers: {{up: {{path: ./up, tls: {{}}}}}}}}\n{TOOL}", "with an address alone"),
        ("plugins: {tool_providers: {up: {path: ./up, security: {sandbox: false, allowed_networks: []}}}}\n"
         f"{TOOL}", "only a sandbox can hold it to that (write sandbox: true)"),
        ("plugins: {tool_providers: {a: {path: ./up}}, llm_providers: {a: {path: ./up.py}}}\n",
         "plugins.llm_providers.a is another plugin of that name"),
        ("plugins: {tool_providers: {up: {pth: ./up}}}\n", 'did you mean "path"?'),
        ("plugins: {tool_providers: {up: {python: ./up.py}}}\n",
         '"./up.py" is no name of a Python module, as "package.module" (for a file write path: ./up.py)'),
        (f"plugins: {{tool_providers: {{up: {{python: no_such.module}}}}}}\n{TOOL}",
         "plugins.tool_providers.up.python: Hector's Python has no module 'no_such' (install it"),
        (f"plugins: {{tool_providers: {{up: {{path: ./up, working_directory: ./gone}}}}}}\n{TOOL}",
         "plugins.tool_providers.up.working_directory: there is no folder"),
        (f"plugins: {{tool_providers: {{up: {{address: 'dns:///embed.internal:7443'}}}}}}\n{TOOL}",
         "up.address: dns:///embed.internal:7443 is beyond this machine, and nothing would be"),
        (f"plugins: {{tool_providers: {{up: {{address: 'a:1', tls: {{ca: ./no.pem}}}}}}}}\n{TOOL}",
         "no.pem cannot be read: No such file or directory (mend `tls`)"),
        ("plugins: {tool_providers: {up: {restart: {backoff: 10m, max_backoff: 1s}}}}\n",
         "up.restart.backoff: the first wait is longer than the longest one (see max_backoff)"),
        ("plugins: {tool_providers: {up: {address: embed}}}\n",
         'up.address: "embed" is no address: write "unix:/run/up.sock", "127.0.0.1:8081" or "dns:///'),
        ("plugins: {tool_providers: {up: {address: 'http://a:80'}}}\n", '"http://a:80" is a web address'),
        ("plugins: {tool_providers: {up: {address: 'a:99999'}}}\n", "has no port between 1 and 65535"),
        ("plugins: {tool_providers: {up: {address: ':81'}}}\n", '":81" names no host: write 127.0.0.1:81'),
        ("plugins: {tool_providers: {up: {address: 'unix:/a', mode: watch}}}\n", "a folder (write /a)"),
        ("plugins: {tool_providers: {up: {path: ./up, env: {A=B: x}}}}\n", "no variable can have this name"),
        ("plugins: {tool_providers: {up: {path: ./up, args: [--api-key=x]}}}\n",
         "up.args[0]: secrets stand in no argument"),
        ("plugins: {tool_providers: {up: {path: ./up, args: [--token, x]}}}\n", "up.args[1]: secrets stand"),
        ("plugins: {tool_providers: {up: {path: ./up, args: ['db://u:p@h/x']}}}\n", "up.args[0]: secrets"),
        ("plugins: {tool_providers: {up: {path: ./up, env: {DB: 'db://u:p@h/x'}}}}\n", "up.env.DB: secrets"),
        ("guardrails: {g: {type: 'plugin:x'}}\n", "known, but not available in this version"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place_with_what_would_be_right(text: str, says: str, folder: Path) -> None:
    assert any(says in problem for problem in problems(folder, text)), problems(folder, text)


@pytest.mark.parametrize(
    "entry",
    [
        "address: 'unix:run/up.sock'",
        "address: 'dns:///embed.internal:7443', insecure: true",
        "address: '[::1]:81'",
        "path: ./up, address: ':8081'",
        "path: ./up, args: [--token-limit, 5, -v, --max-tokens=7]",
        "path: ./up, env: {TOKENS: 'https://a.b/c?d=e'}",
    ],
)
def test_what_only_looks_like_a_mistake_is_none(entry: str, folder: Path) -> None:
    assert problems(folder, f"plugins: {{tool_providers: {{up: {{{entry}}}}}}}\n{TOOL}") == []


def test_all_mistakes_of_an_entry_are_told_at_once(folder: Path) -> None:
    wrong = "{path: ./up, sha256: x, args: [--token=x], tls: {}}"
    assert len(problems(folder, f"plugins: {{tool_providers: {{up: {wrong}}}}}\n{TOOL}")) == 3


def test_a_program_that_everybody_may_write_is_not_run(folder: Path) -> None:
    (folder / "up").chmod(0o777)
    (told,) = problems(folder, f"plugins: {{tool_providers: {{up: {{path: ./up}}}}}}\n{TOOL}")
    assert f"every user of this machine may write {folder}/up: chmod o-w" in told


def test_a_script_without_the_executable_bit_is_not_run_but_told_how(folder: Path) -> None:
    (folder / "up").chmod(0o644)
    (told,) = problems(folder, f"plugins: {{tool_providers: {{up: {{path: ./up}}}}}}\n{TOOL}")
    assert told.endswith(f"is not executable (chmod +x {folder}/up)")


@pytest.mark.parametrize(
    ("name", "content", "runner"),
    [
        ("up.py", "print()\n", [sys.executable]),
        ("up.py", "#!/usr/bin/env python3\n", []),
        ("up", "print()\n", []),
    ],
)
def test_a_script_that_is_executable_and_does_not_say_what_runs_it_is_run_as_any_of_its_kind(
    folder: Path, name: str, content: str, runner: list[str]
) -> None:
    (folder / name).write_text(content)
    (folder / name).chmod(0o755)  # as every file is on some file systems
    plan = plan_of(folder, f"plugins: {{tool_providers: {{up: {{path: ./{name}}}}}}}\n{TOOL}")
    assert plan.command == (*runner, str(folder / name))


def test_confinement_is_as_it_is_said_and_implied_by_what_only_it_can_hold(folder: Path) -> None:
    def confined(security: str) -> str:
        text = f"plugins: {{tool_providers: {{up: {{path: ./up, security: {security}}}}}}}\n{TOOL}"
        return plan_of(folder, text).security.sandbox

    assert [
        confined(said)
        for said in (
            "{}",
            "{sandbox: true}",
            "{sandbox: false}",
            "{allowed_networks: []}",
            "{sandbox: landlock}",
        )
    ] == ["off", "required", "off", "required", "landlock"]


HELD = {
    "security: {sandbox: true}": "security.sandbox",
    "security: {sandbox: best-effort}": "security.sandbox",
    "security: {max_memory: 100MB}": "security.max_memory",
    "security: {max_cpu: 1}": "security.max_cpu",
    "security: {max_processes: 4}": "security.max_processes",
    "security: {allowed_networks: ['a.b:1']}": "security.allowed_networks",
    "security: {allowed_paths: ['./out:rw']}": "security.allowed_paths",
    "security: {proxy_only: true}": "security.proxy_only",
    "env: {A: b}": "env",
    "args: [-v]": "args",
    "working_directory: .": "working_directory",
    f"sha256: {'a' * 64}": "sha256",
}


@pytest.mark.parametrize("said", HELD)
@pytest.mark.parametrize("place", ["address: 'unix:/run/x.sock'", "address: /run/sockets, mode: watch"])
def test_a_plugin_that_somebody_else_starts_is_not_said_to_be_held(
    said: str, place: str, folder: Path
) -> None:
    told = problems(folder, f"plugins:\n  tool_providers: {{up: {{{place}, {said}}}}}\n{TOOL}")
    assert len(told) == 1, told
    assert told[0].startswith("hector.yaml:2:")
    assert (
        f"plugins.tool_providers.up.{HELD[said]}: Hector does not start what has an address alone" in told[0]
    )


def test_a_plugin_that_somebody_else_starts_is_granted_nothing_that_it_cannot_reach(folder: Path) -> None:
    entry = "{address: 'unix:/run/x.sock', grants: {llms: [default]}}"
    (told,) = problems(folder, f"plugins: {{tool_providers: {{up: {entry}}}}}\n{TOOL}")
    assert "up.grants: only what Hector starts is told the way to Hector's services" in told


def test_all_that_cannot_hold_is_told_at_once_and_a_deadline_always_holds(folder: Path) -> None:
    held = "{sandbox: true, max_memory: 1GB, allowed_networks: [], timeout: 3s}"
    text = f"plugins: {{tool_providers: {{up: {{address: 'unix:/run/x.sock', security: {held}}}}}}}\n{TOOL}"
    assert len(problems(folder, text)) == 3
    held = "{sandbox: false, max_memory: 0, timeout: 3s}"
    text = f"plugins: {{tool_providers: {{up: {{address: 'unix:/run/x.sock', security: {held}}}}}}}\n{TOOL}"
    assert plan_of(folder, text).security.timeout_s == 3


def test_what_is_hectors_own_is_hidden_whatever_it_is_called(folder: Path) -> None:
    file = folder / "settings.yml"
    file.write_text(
        "storage: {database: 'sqlite://runs.db', blobs: {url: blobs}}\n"
        "logger: {file: server.log}\n"
        "vector_stores: {v: {persist_path: vectors}}\n"
        "plugins: {tool_providers: {up: {path: ./up}}}\n"
        "tools: {up: {type: 'plugin:up'}}\nagents: {a: {tools: [up]}}\n"
    )
    (folder / "hector.other.yaml").touch()
    (plan,) = plans_of(load_config(file, {}).config, ROLES)
    hidden = {str(path.relative_to(folder)) for path in plan.hidden}
    assert hidden >= {"settings.yml", "hector.other.yaml", "server.log", "vectors", "blobs"}
    assert hidden >= {"runs.db", "runs.db-wal", "runs.db-shm", "runs.db-journal"}


def test_allowed_paths_belong_to_the_project_folder(folder: Path) -> None:
    security = "{allowed_paths: [data, 'out:rw']}"
    text = f"plugins: {{tool_providers: {{up: {{path: ./up, security: {security}}}}}}}\n{TOOL}"
    assert plan_of(folder, text).security.allowed_paths == (f"{folder}/data", f"{folder}/out:rw")


MANIFEST = """
plugin:
  name: up
  version: 1.2.0
  type: tool_provider
  protocol: grpc
  command: ["./up"]
  hector_version: "{version}"
  config_schema: {{type: object, required: [level], properties: {{level: {{type: integer}}}}}}
  permissions: {permissions}
  resources: {{max_memory: 64MB, max_concurrency: 8}}
"""


def manifest(folder: Path, *, version: str = ">=0.0", permissions: str = "{}") -> None:
    plugins = folder / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "up.plugin.yaml").write_text(MANIFEST.format(version=version, permissions=permissions))
    (plugins / "up").write_text("#!/bin/sh\n")
    (plugins / "up").chmod(0o755)


FOUND = "plugins: {discovery: {enabled: true}, tool_providers: {up: {config: {level: 3}}}}\n" + TOOL


def test_a_plugin_that_was_found_runs_when_something_refers_to_it(folder: Path) -> None:
    manifest(folder)
    assert problems(folder, FOUND) == []
    plan = plan_of(folder, FOUND)
    assert plan.command == (str(folder / "plugins" / "up"),)
    assert (plan.security.max_memory_bytes, plan.limits.max_concurrency) == (64_000_000, 8)
    assert plan.folder == folder / "plugins"


def test_a_plugin_that_was_found_needs_no_entry_at_all(folder: Path) -> None:
    manifest(folder)
    assert plan_of(folder, "plugins: {discovery: {enabled: true}}\n" + TOOL).name == "up"


def test_without_discovery_manifests_are_not_looked_for(folder: Path) -> None:
    manifest(folder)
    assert any("no plugin is called" in told for told in problems(folder, TOOL))


def test_settings_are_held_to_the_manifests_schema_without_a_process(folder: Path) -> None:
    manifest(folder)
    (told,) = problems(folder, FOUND.replace("level: 3", "level: high"))
    assert "hector.yaml:1:" in told
    assert "/level: 'high' is not of type 'integer'" in told


def test_a_plugin_for_another_version_of_hector_is_refused_with_both(folder: Path) -> None:
    manifest(folder, version=">=90,<91")
    (told,) = problems(folder, FOUND)
    assert "says that the plugin needs Hector >=90,<91, and this is" in told


def test_what_a_manifest_asks_for_has_to_be_granted_and_the_yaml_is_shown(folder: Path) -> None:
    manifest(folder, permissions="{host: {llm: [default], state: 1MiB}}")
    told = problems(folder, FOUND)
    assert any("needs the model default, and it is not granted" in one for one in told)
    assert any("plugins: {tool_providers: {up: {grants: {llms: [default]}}}}" in one for one in told)
    granted = FOUND.replace("{level: 3}", "{level: 3}, grants: {llms: [default], tools: [t], state: 4MiB}")
    assert problems(folder, granted) == []
    grants = plan_of(folder, granted).grants
    assert (grants.llms, grants.tools, grants.state_bytes) == (("default",), (), 1 << 20)


def test_an_unusable_manifest_is_in_nobodys_way_unless_it_is_meant(folder: Path) -> None:
    manifest(folder)
    (folder / "plugins" / "bad.plugin.yaml").write_text("plugin: {name: bad}\n")
    assert problems(folder, FOUND) == []
    (told,) = problems(folder, FOUND.replace("plugin:up", "plugin:bad"))
    assert 'the manifest of "bad" cannot be used' in told
    assert "plugin.version: required, but not there" in told


def test_a_manifest_of_the_first_generation_stands_beside_its_program(folder: Path) -> None:
    (folder / "up.plugin.yaml").write_text(
        "plugin:\n  name: up\n  version: 1.0\n  type: tool_provider\n  protocol: grpc\n  author: somebody\n"
        "  config_schema: {required: [key], optional: [region], defaults: {region: eu}}\n"
    )
    text = f"plugins: {{tool_providers: {{up: {{path: ./up, config: {{key: k}}}}}}}}\n{TOOL}"
    assert json.loads(plan_of(folder, text).config_json) == {"key": "k", "region": "eu"}
    (told,) = problems(folder, text.replace("{key: k}", "{}"))
    assert "'key' is a required property" in told


def test_a_manifest_that_everybody_may_write_is_not_believed(folder: Path) -> None:
    manifest(folder)
    (folder / "plugins" / "up.plugin.yaml").chmod(0o666)
    (told,) = problems(folder, "plugins: {discovery: {enabled: true}}\n" + TOOL)
    assert "every user of this machine may write" in told


def test_a_process_refuses_what_it_cannot_run_in_one_sentence(folder: Path) -> None:
    config = config_of(folder, f"plugins: {{tool_providers: {{up: {{path: ./nope}}}}}}\n{TOOL}")
    with pytest.raises(PluginUnusable, match=r"plugins\.tool_providers\.up\.path: there is no file"):
        plans_of(config, ROLES)


def test_only_programs_with_a_badge_for_what_they_are_now_start_where_that_is_required(folder: Path) -> None:
    text = f"plugins: {{require_conformance: true, tool_providers: {{up: {{path: ./up}}}}}}\n{TOOL}"
    (told,) = problems(folder, text)
    assert "has no badge (run hector plugin test --badge" in told
    badge = {"hector.plugin.v1": "conformant", "sha256": sha256_of(folder / "up"), "kit": KIT, "kinds": []}
    (folder / "up.conformance.json").write_text(json.dumps(badge))
    assert problems(folder, text) == []
    (folder / "up").write_text("#!/bin/sh\nexit 1\n")
    (told,) = problems(folder, text)
    assert "is not what its badge was given for" in told


def test_a_pin_is_part_of_the_plan_wherever_it_stands(folder: Path) -> None:
    pin = "AB" * 32
    text = f"plugins: {{tool_providers: {{up: {{path: ./up, sha256: {pin}}}}}}}\n{TOOL}"
    assert plan_of(folder, text).sha256 == pin.lower()


@pytest.mark.parametrize(
    ("wanted", "version", "suits_it"),
    [
        (">=1.0,<2", "1.4.0", True),
        (">=1.0 <2", "2.0.0", False),
        ("^1.2", "1.9.9", True),
        ("^1.2", "2.0.0", False),
        ("~1.2.3", "1.2.9", True),
        ("~1.2.3", "1.3.0", False),
        (">= v0.1", "0.1.0", True),
        ("1.2", "1.2.7", True),
        ("1.2.3", "1.2.4", False),
    ],
)
def test_ranges_of_versions_are_read_as_people_write_them(
    wanted: str, version: str, *, suits_it: bool
) -> None:
    assert suits(wanted, version) is suits_it


def test_what_is_no_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="newest"):
        suits("newest")
