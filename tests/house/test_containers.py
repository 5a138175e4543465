"""Ours: the image and the compose file start what there is. No container engine is needed to tell."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from hector_runtime.config import load_config
from hector_runtime.roles import ROLES

CONFIG = "examples/containers/hector.yaml"


class Parse(Protocol):
    """The fixture `parsed`: what `hector` makes of a command line."""

    def __call__(self, words: list[str]) -> dict[str, Any]: ...


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, dict[str, Any]]:
    """The services of compose.yaml that run Hector, merge keys resolved."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((root / "compose.yaml").read_text())["services"]
    return {name: service for name, service in found.items() if service["image"] == "hector"}


def test_every_role_is_a_service_of_one_image(services: dict[str, dict[str, Any]]) -> None:
    assert services.keys() == ROLES.keys()
    assert {service["image"] for service in services.values()} == {"hector"}


def test_a_service_plays_the_role_it_is_named_after(
    services: dict[str, dict[str, Any]], parsed: Parse
) -> None:
    played = {name: parsed(service["command"])["roles"] for name, service in services.items()}
    assert played == {name: (name,) for name in ROLES}


def test_every_role_is_found_where_it_listens(
    root: Path, services: dict[str, dict[str, Any]], parsed: Parse
) -> None:
    mesh = load_config(root / CONFIG, {"HECTOR_MESH_TOKEN": "sample"}).config.mesh
    listening = {
        name: f"dns:///{name}:{listen.rpartition(':')[2]}"
        for name, service in services.items()
        if (listen := parsed(service["command"])["listen"])
    }
    assert {name: mesh.address(name) for name in ROLES if name != "gateway"} == listening


def test_every_service_has_the_token_and_the_configuration(
    services: dict[str, dict[str, Any]], parsed: Parse
) -> None:
    for name, service in services.items():
        assert "HECTOR_MESH_TOKEN" in service["environment"], name
        mounts = dict(reversed(mount.removesuffix(":ro").split(":")) for mount in service["volumes"])
        assert mounts["/var/lib/hector"] == "hector", name
        config = parsed(service["command"])["config_file"]
        assert mounts[f"/var/lib/hector/{config}"] == f"./{CONFIG}", name


def test_probes_are_programs_that_compile(root: Path, services: dict[str, dict[str, Any]]) -> None:
    probes = [service["healthcheck"]["test"][1:] for service in services.values() if "healthcheck" in service]
    health = re.search(r"^HEALTHCHECK.*?CMD (\[.*?\])$", dockerfile(root), re.MULTILINE | re.DOTALL)
    assert health
    for program, option, text in [*probes, json.loads(health[1])]:
        assert (program, option) == ("python", "-c")
        compile(text, "probe", "exec")


def test_the_image_runs_hector_as_nobody_special(root: Path, parsed: Parse) -> None:
    last = dockerfile(root).rpartition("\nFROM ")[2]
    said = dict(re.findall(r"^(ENTRYPOINT|CMD|USER|EXPOSE|WORKDIR) (.+)$", last, re.MULTILINE))
    assert json.loads(said["ENTRYPOINT"]) == ["hector"]
    parsed(json.loads(said["CMD"]))
    assert int(said["USER"]) > 0
    assert said["EXPOSE"] == "8080 50051"
    assert "HECTOR_HOST=0.0.0.0" in last


def test_the_image_holds_bytecode_and_no_secret(root: Path) -> None:
    text = dockerfile(root)
    assert "python -m compileall" in text
    assert not re.search(r"(?i)(secret|password|token|api_key)\s*=", text)
    assert not re.search(r"^ARG", text, re.MULTILINE)


def test_secrets_come_from_outside_and_reach_only_who_needs_them(
    root: Path, services: dict[str, dict[str, Any]]
) -> None:
    text = (root / "compose.yaml").read_text()
    given = re.findall(r"^\s+(\w*(?:TOKEN|PASSWORD|SECRET|KEY)\w*): (.*)$", text, re.MULTILINE)
    assert given
    assert all(value.startswith("${") and ":?" in value for _, value in given), given
    with_password = {
        name for name, service in services.items() if "POSTGRES_PASSWORD" in service["environment"]
    }
    assert with_password == {"agent", "document"}


def test_what_the_image_copies_is_there_and_not_ignored(root: Path) -> None:
    lines = (root / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert all((root / path).exists() for path in kept)
    for command in re.findall(r"^COPY (?!--from)(.+)$", dockerfile(root), re.MULTILINE):
        *sources, _ = shlex.split(command)
        assert all(source == "." or source in kept for source in sources), command


def dockerfile(root: Path) -> str:
    """The Dockerfile with continued lines joined."""
    return (root / "Dockerfile").read_text().replace("\\\n", " ")
