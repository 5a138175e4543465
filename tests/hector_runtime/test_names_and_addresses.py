from pathlib import Path

import pytest

from hector_config import ConfigInvalid
from hector_runtime.config import load_config


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('agents: {"": {}}', "agents"),
        ('agents: {"b c/d": {}}', "b c/d"),
        ("agents: {a: {}}\nmesh: {llm: 'http://llm:1'}", "mesh.llm"),
        ("agents: {a: {}}\nmesh: {llm: ''}", "mesh.llm"),
    ],
)
def test_what_could_never_be_reached_is_refused_where_it_stands(
    tmp_path: Path, text: str, named: str
) -> None:
    file = tmp_path / "hector.yaml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        load_config(file)
    assert named in str(refused.value)
    assert f"{file}:" in str(refused.value)


@pytest.mark.parametrize(
    "address", ["dns:///llm:1", "llm:1", "unix:///run/llm.sock", "unix:llm.sock", "xds:///llm"]
)
def test_addresses_that_grpc_can_dial_are_accepted(tmp_path: Path, address: str) -> None:
    file = tmp_path / "hector.yaml"
    file.write_text(f"agents: {{my-agent_2.0: {{}}}}\nmesh: {{llm: '{address}'}}")
    assert load_config(file).config.mesh.llm == address
