"""Ours: both wheels name what they import, import what they name, and load extras where they are used."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

SERVER = ("services", "gateway", "plugins/hector_plugin_host")
PLUGIN = ("services/hector_mesh", "proto/gen/hector", "plugins/hector_plugin")

DISTRIBUTIONS = {
    "a2a": "a2a-sdk",
    "aiohappyeyeballs": "aiohttp",
    "google.api": "googleapis-common-protos",
    "google.protobuf": "protobuf",
    "google.rpc": "googleapis-common-protos",
    "grpc": "grpcio",
    "grpc_health": "grpcio-health-checking",
    "grpc_reflection": "grpcio-reflection",
    "opentelemetry": "opentelemetry-sdk",
    "opentelemetry.exporter": "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry.instrumentation.grpc": "opentelemetry-instrumentation-grpc",
    "pydantic_core": "pydantic",
    "re2": "google-re2",
    "yaml": "pyyaml",
    "yarl": "aiohttp",
}
"""What is installed under another name than it is imported by, or comes with what is."""

OPTIONAL_FOR_PLUGINS = {
    "grpcio-health-checking",
    "grpcio-reflection",
    "opentelemetry-sdk",
    "opentelemetry-exporter-otlp-proto-grpc",
    "opentelemetry-instrumentation-grpc",
}
"""What hector_mesh uses where it is installed, and does without where not."""

LOADED_BY_NAME = {
    "cryptography",  # pymysql's, for passwords of MySQL 8
    "hector-plugin",  # ours
    "opentelemetry-exporter-otlp-proto-grpc",  # the OpenTelemetry SDK's, by entry point
    "pymysql",  # aiomysql's
}
"""Dependencies that no file of ours imports."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import of somebody else's module."""

    where: str
    distribution: str
    at_once: bool
    """Whether it is loaded with its file; else on first use."""


def test_the_plugin_wheel_imports_nothing_but_what_plugin_authors_install(root: Path) -> None:
    allowed = dependencies(root / "plugins/pyproject.toml")
    strangers = [
        found
        for found in imports_under(root, PLUGIN)
        if found.distribution not in (allowed if found.at_once else allowed | OPTIONAL_FOR_PLUGINS)
    ]
    assert strangers == []


def test_the_plugin_wheel_installs_nothing_but_grpcio_and_protobuf(root: Path) -> None:
    assert dependencies(root / "plugins/pyproject.toml") == {"grpcio", "protobuf"}
    project = tomllib.loads((root / "plugins/pyproject.toml").read_text())["project"]
    assert not {"optional-dependencies", "dynamic"} & project.keys()


def test_the_server_imports_at_once_only_what_it_always_installs(root: Path) -> None:
    always = dependencies(root / "pyproject.toml") | dependencies(root / "plugins/pyproject.toml")
    with_extras = always | extras(root / "pyproject.toml")
    strangers = [
        found
        for found in imports_under(root, SERVER)
        if found.distribution not in (always if found.at_once else with_extras)
    ]
    assert strangers == []


def test_every_dependency_is_imported_or_loaded_by_name(root: Path) -> None:
    used = {found.distribution for found in imports_under(root, (*SERVER, *PLUGIN))} | LOADED_BY_NAME
    asked = {*dependencies(root / "pyproject.toml"), *dependencies(root / "plugins/pyproject.toml")}
    assert asked - used == set()
    assert extras(root / "pyproject.toml") - used == set()


def test_both_wheels_have_one_version_and_belong_together(root: Path) -> None:
    server = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    plugin = tomllib.loads((root / "plugins/pyproject.toml").read_text())["project"]
    assert plugin["version"] == server["version"]
    assert f"hector-plugin=={plugin['version']}" in server["dependencies"]
    assert (root / "plugins/LICENSE").read_text() == (root / "LICENSE").read_text()


def imports_under(root: Path, folders: tuple[str, ...]) -> Iterator[Import]:
    """Give every import of what is neither ours nor Python's."""
    rooms = ("services", "gateway", "plugins", "proto/gen")
    ours = {package.name for room in rooms for package in (root / room).glob("hector*")}
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            for node, at_once in statements(ast.parse(path.read_text()), at_once=True):
                for module in modules_of(node):
                    if module.split(".")[0] not in sys.stdlib_module_names | ours:
                        where = f"{path.relative_to(root)}:{node.lineno}"
                        yield Import(where, distribution_of(module), at_once)


def statements(node: ast.AST, *, at_once: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Give every import statement, and whether it is carried out with its file."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_once
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.If):
            yield from statements(child, at_once=False)  # an `if` is TYPE_CHECKING
        else:
            yield from statements(child, at_once=at_once)


def modules_of(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Name what a statement imports, in full; nothing for relative imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if node.module and not node.level else []


def distribution_of(module: str) -> str:
    """Name what must be installed for a module."""
    names = module.split(".")
    for length in range(len(names), 0, -1):
        if found := DISTRIBUTIONS.get(".".join(names[:length])):
            return found
    return names[0].replace("_", "-")


def dependencies(description: Path) -> set[str]:
    """Name what a wheel of ours always installs."""
    project = tomllib.loads(description.read_text())["project"]
    return {Requirement(line).name for line in project["dependencies"]}


def extras(description: Path) -> set[str]:
    """Name what a wheel's extras install, those of developers left out."""
    optional = tomllib.loads(description.read_text())["project"]["optional-dependencies"]
    lines = [line for extra, lines in optional.items() if extra != "dev" for line in lines]
    return {Requirement(line).name for line in lines} - {"hector"}
