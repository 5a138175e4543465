"""What a manifest asks for, and what becomes of one that cannot be used."""

from pathlib import Path

import pytest

from hector_config import ConfigInvalid
from hector_runtime.config import load_config
from hector_runtime.plugins.checking import check_plugins
from hector_runtime.plugins.plans import planned

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


def problems(folder: Path, text: str) -> list[str]:
    (folder / "hector.yaml").write_text(text)
    try:
        check_plugins(load_config(folder / "hector.yaml", {}))
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
