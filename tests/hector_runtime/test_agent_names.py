"""Ours: an agent's name that leads elsewhere at the root is warned of, where it stands."""

from pathlib import Path

from hector_runtime.config import load_config


def test_an_agent_that_no_tenant_in_a_path_reaches_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "hector.yaml"
    file.write_text("agents:\n  helper: {}\n  tasks: {}\n", encoding="utf-8")
    (warning,) = load_config(file).warnings
    assert ":3:" in str(warning)
    assert "agents.tasks: /tasks leads elsewhere" in str(warning)
    assert "/agents/tasks only" in str(warning)
