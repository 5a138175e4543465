"""What a manifest asks for, and what becomes of one that cannot be used."""

import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result

from hector_config import ConfigInvalid
from hector_runtime.cli import hector
from hector_runtime.config import load_config
from hector_runtime.plugins.checking import check_plugins
from hector_runtime.plugins.hosting import Plugins
from hector_runtime.plugins.plans import planned
from hector_runtime.plugins.showing import ShownPlugins
from hector_runtime.plugins.trust import sha256_of

TOOL = "tools: {t: {type: 'plugin:up'}}\n"
FOUND = "plugins: {discovery: {enabled: true}, tool_providers: {up: {config: {level: 3}}}}\n" + TOOL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "up").write_text("#!/bin/sh\n")
    (plugins / "up").chmod(0o755)
    return tmp_path


def manifest(folder: Path, name: str = "up", **more: str) -> Path:
    file = folder / "plugins" / f"{name}.plugin.yaml"
    says = {"type": "tool_provider", "command": "[./up]", **more}
    lines = [f"  {key}: {value}\n" for key, value in says.items()]
    file.write_text(f"plugin:\n  name: {name}\n  version: 1.2.0\n{''.join(lines)}")
    return file


def problems(folder: Path, text: str, roles: Collection[str] | None = None) -> list[str]:
    (folder / "hector.yaml").write_text(text)
    try:
        check_plugins(load_config(folder / "hector.yaml", {}), roles)
    except ConfigInvalid as error:
        return [str(problem).removeprefix(f"{folder}/") for problem in error.problems]
    return []


ASKS = '{network: ["api.vendor.com:443"], files: {read: [/etc], write: [./out]}}'


def test_what_a_manifest_asks_of_the_machine_has_to_be_granted_with_and_without_a_sandbox(
    folder: Path,
) -> None:
    manifest(folder, permissions=ASKS)
    out = folder / "plugins" / "out"
    yaml = "plugins: {tool_providers: {up: {security: {%s}}}}"
    for entry in (FOUND, FOUND.replace("{level: 3}", "{level: 3}, security: {sandbox: true}")):
        told = problems(folder, entry)
        assert len(told) == 2, told
        assert any(yaml % 'allowed_networks: ["api.vendor.com:443"]' in one for one in told)
        assert any(yaml % f'allowed_paths: ["/etc", "{out}:rw"]' in one for one in told)
    nowhere_named = "plugins: {discovery: {enabled: true}}\n" + TOOL
    assert all("needs" in one and "it is not granted" in one for one in problems(folder, nowhere_named))


def test_what_was_granted_is_kept_in_the_yaml_that_grants_the_rest(folder: Path) -> None:
    manifest(folder, permissions=ASKS)
    security = "security: {allowed_networks: ['a.test:1'], allowed_paths: ['/etc']}"
    told = problems(folder, FOUND.replace("{level: 3}", "{level: 3}, " + security))
    assert any('allowed_networks: ["a.test:1", "api.vendor.com:443"]' in one for one in told)
    assert any(f'allowed_paths: ["/etc", "{folder}/plugins/out:rw"]' in one for one in told)


def test_who_says_that_there_is_no_sandbox_grants_the_whole_machine(folder: Path) -> None:
    manifest(folder, permissions=ASKS)
    entry = FOUND.replace("{level: 3}", "{level: 3}, security: {sandbox: false}")
    assert problems(folder, entry) == []
    (plan,), _ = planned(load_config(folder / "hector.yaml", {}).config)
    assert plan.security.sandbox == "off"


def warnings(folder: Path, text: str) -> list[str]:
    (folder / "hector.yaml").write_text(text)
    return [str(one).removeprefix(f"{folder}/") for one in load_config(folder / "hector.yaml", {}).warnings]


HERE = "plugins: {discovery: {enabled: true}}\n"


def test_an_unknown_kind_in_a_manifest_is_told_to_who_refers_to_it_and_to_who_does_not(folder: Path) -> None:
    bad = manifest(folder, "other", type="tool_providr")
    bad.rename(folder / "plugins" / "pdf.plugin.yaml")
    (warning,) = warnings(folder, HERE)
    assert warning.startswith("hector.yaml:1:")
    assert 'pdf.plugin.yaml:4:9: plugin.type: wrong value: found "tool_providr"' in warning
    assert 'did you mean "tool_provider"?' in warning
    (told,) = problems(folder, HERE + TOOL.replace("plugin:up", "plugin:other"))
    assert 'the manifest of "other" cannot be used' in told
    assert "tool_providr" in told


def test_a_folder_that_everybody_may_write_is_told_though_its_name_is_none_of_its_plugins(
    folder: Path,
) -> None:
    manifest(folder)
    (folder / "plugins").chmod(0o777)
    assert any(
        f"may put something else into {folder}/plugins: chmod o-w" in one for one in warnings(folder, HERE)
    )
    (told,) = problems(folder, HERE + TOOL)
    assert f"may put something else into {folder}/plugins: chmod o-w" in told


def test_a_folder_of_discovery_that_is_not_there_is_told(folder: Path) -> None:
    text = "plugins:\n  discovery:\n    enabled: true\n    paths: [./plugins, ./nopl]\n"
    (warning,) = warnings(folder, text)
    assert warning.startswith("hector.yaml:4:24: plugins.discovery.paths[1]: passed over: there is no folder")
    (told,) = problems(folder, text + TOOL)
    assert f"discovery passed over what may be it: there is no folder {folder}/nopl" in told
    declared = text + "  tool_providers: {up: {}}\n" + TOOL
    assert any(f"there is no folder {folder}/nopl" in one for one in problems(folder, declared))


def test_what_is_no_folder_and_what_was_found_before_is_told(folder: Path) -> None:
    (folder / "other").mkdir()
    first = manifest(folder)
    second = folder / "other" / "up.plugin.yaml"
    second.write_text(first.read_text())
    text = "plugins: {discovery: {enabled: true, paths: [plugins, other, plugins/up]}}\n"
    told = warnings(folder, text)
    assert any(
        f"{second} is passed over: {first} is called 'up', too, and was found first" in one for one in told
    )
    assert any(f"{folder}/plugins/up cannot be looked through: Not a directory" in one for one in told)


def test_usual_folders_need_not_be_there_and_nothing_is_looked_for_unless_it_is_on(folder: Path) -> None:
    (folder / "plugins" / "up").unlink()
    (folder / "plugins").rmdir()
    assert warnings(folder, HERE) == []
    written = "plugins: {discovery: {enabled: true, paths: [./plugins, ~/.hector/plugins]}}\n"
    assert warnings(folder, written) == []
    assert warnings(folder, "plugins: {discovery: {enabled: false, paths: [./nopl]}}\n") == []


def hector_plugin(folder: Path, text: str, *words: str) -> Result:
    (folder / "hector.yaml").write_text(text)
    return CliRunner().invoke(hector, ["plugin", *words, "-c", str(folder / "hector.yaml")])


async def test_a_process_says_at_its_start_what_it_passed_over_and_shows_it_to_the_admin(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest(folder, type="tool_providr")
    (folder / "hector.yaml").write_text(HERE)
    plugins = Plugins(["tool"])
    with caplog.at_level(logging.WARNING):
        async with plugins.running(load_config(folder / "hector.yaml", {}).config, cast(Any, None)):
            (why,) = ShownPlugins(plugins).passed_over()
    assert "tool_providr" in why
    (line,) = [one for one in caplog.records if one.msg == "discovery passed over a plugin"]
    assert line.__dict__["why"] == why


def test_what_was_passed_over_stands_below_the_list(folder: Path) -> None:
    manifest(folder)
    manifest(folder, "other", type="tool_providr")
    told = hector_plugin(folder, HERE, "list")
    assert "tool_providr" in told.stderr.partition("passed over: ")[2], told.output
    assert "tool_providr" not in told.stdout
    whole = json.loads(hector_plugin(folder, HERE, "list", "-f", "json").stdout)
    assert [one["name"] for one in whole["plugins"]] == ["up"]
    assert "tool_providr" in whole["passed_over"][0]


def test_the_pin_of_a_plugin_that_was_found_can_be_pasted(folder: Path) -> None:
    manifest(folder)
    printed = hector_plugin(folder, HERE + TOOL, "pin").stdout
    pinned = f"plugins:\n  tool_providers:\n    up: {{sha256: {sha256_of(folder / 'plugins' / 'up')}}}\n"
    assert printed == pinned
    whole = pinned.replace("plugins:\n", "plugins:\n  discovery: {enabled: true}\n") + TOOL
    assert problems(folder, whole) == []


def validated(folder: Path, text: str) -> Result:
    (folder / "hector.yaml").write_text(text)
    return CliRunner().invoke(hector, ["validate", str(folder / "hector.yaml")])


def test_a_program_that_is_not_what_its_pin_says_is_found_before_anything_starts(folder: Path) -> None:
    entry = "plugins:\n  tool_providers:\n    up:\n      path: plugins/up\n      sha256: "
    right, wrong = sha256_of(folder / "plugins" / "up"), "0" * 64
    assert problems(folder, f"{entry}{right}\n{TOOL}") == []
    (told,) = problems(folder, f"{entry}'{wrong}'\n{TOOL}")
    assert told.startswith("hector.yaml:5:15: plugins.tool_providers.up.sha256: ")
    assert f"has the SHA-256 {right}, and the configuration pins {wrong}" in told
    assert problems(folder, f"{entry}'{wrong}'\n{TOOL}", ["tool"]) == []  # a server starts without it


def test_a_question_without_a_server_says_which_plugin_could_not_be_started(folder: Path) -> None:
    entry = "plugins: {tool_providers: {up: {path: plugins/up, sha256: "
    (folder / "hector.yaml").write_text(f"{entry}'{'0' * 64}'}}}}}}\n{TOOL}agents: {{a: {{tools: [t]}}}}\n")
    result = CliRunner().invoke(hector, ["call", "-c", str(folder / "hector.yaml"), "Hello"])
    assert result.exit_code == 0
    assert "plugin up is not well: " in result.stderr
    assert f"the configuration pins {'0' * 64}" in result.stderr


def test_a_manifest_that_pins_another_program_is_wrong_too(folder: Path) -> None:
    right, wrong = sha256_of(folder / "plugins" / "up"), "0" * 64
    manifest(folder, sha256=f"'{wrong}'")
    (told,) = problems(folder, HERE + TOOL)
    assert f"has the SHA-256 {right}" in told


def test_a_plugin_that_nothing_refers_to_may_be_broken_but_not_in_silence(folder: Path) -> None:
    missing, off = "    missing: {path: ./ll/never.py}\n", "    off: {path: ./no, enabled: false}\n"
    checked = validated(folder, f"plugins:\n  tool_providers:\n{missing}{off}")
    assert checked.exit_code == 0, checked.output
    (warning,) = [line for line in checked.stderr.splitlines() if line.startswith("warning: ")]
    assert "hector.yaml:3:21: plugins.tool_providers.missing.path: there is no file" in warning
    assert warning.endswith("; nothing refers to missing, so it is not started")


def test_every_network_that_is_none_is_told_at_its_place(folder: Path) -> None:
    networks = "['https://a.b/c', 'a.b:99999', 'a.b:443', '*.', '10.0.0.0/99']"
    entry = f"up: {{path: plugins/up, security: {{allowed_networks: {networks}}}}}"
    told = problems(folder, f"plugins: {{tool_providers: {{{entry}}}}}\n{TOOL}")
    places = [one.split(": ")[1].rpartition("allowed_networks")[2] for one in told]
    assert places == ["[0]", "[1]", "[3]", "[4]"]
    assert "write 'a.b:443'" in told[0]


@pytest.mark.parametrize("kind", ["tool_provider", "tool_providrs"])
def test_a_kind_that_there_is_not_is_told_with_the_one_that_was_meant(kind: str, folder: Path) -> None:
    told = problems(folder, f"plugins: {{{kind}: {{up: {{path: plugins/up}}}}}}\n{TOOL}")
    assert any(
        f"plugins.{kind}: unknown key" in one and 'did you mean "tool_providers"?' in one for one in told
    )
    assert problems(folder, f"plugins: {{{kind}: {{path: plugins/up}}}}\n") == []


def test_a_slip_in_a_manifests_key_is_told_and_another_readers_key_is_not(folder: Path) -> None:
    manifest(folder, permisions="{}", author="somebody", license="MIT", resources="{max_memry: 1MB}")
    checked = validated(folder, HERE)
    assert checked.exit_code == 0, checked.output
    told = [line for line in checked.stderr.splitlines() if line.startswith("warning: ")]
    assert len(told) == 2, told
    assert (
        'up.plugin.yaml:6:3: plugin.permisions: unknown key, left out (did you mean "permissions"?)'
        in told[0]
    )
    assert 'plugin.resources.max_memry: unknown key, left out (did you mean "max_memory"?)' in told[1]
    by_path = "plugins: {tool_providers: {up: {path: plugins/up}}}\n"
    assert "plugin.permisions: unknown key" in validated(folder, by_path).stderr


def test_what_a_manifest_asks_in_words_that_nobody_knows_is_not_passed_over(folder: Path) -> None:
    manifest(folder, permissions="{networks: [a.test], host: {llms: [fast]}}")
    (told,) = problems(folder, HERE + TOOL)
    assert "plugin.permissions.networks: unknown key" in told
    assert 'did you mean "network"?' in told
    assert "plugin.permissions.host.llms: unknown key" in told
