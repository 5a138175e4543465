"""Ours: an agent's name that leads elsewhere at the root, or to no agent, is warned of where it stands."""

from pathlib import Path

from hector_runtime.config import load_config


def test_an_agent_that_no_tenant_in_a_path_reaches_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "hector.yaml"
    file.write_text("agents:\n  helper: {}\n  tasks: {}\n", encoding="utf-8")
    (warning,) = load_config(file).warnings
    assert ":3:" in str(warning)
    assert "agents.tasks: /tasks leads elsewhere" in str(warning)
    assert "/agents/tasks only" in str(warning)


def test_a_setting_by_agent_that_no_agent_has_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "hector.yaml"
    file.write_text(
        """\
agents: {helper: {}}
storage:
  queue:
    per_agent: {helper: 2, helpr: 3}
  retention:
    agents:
      gone: {runs: 30d}
    apps:
      acme:
        agents: {helper: {runs: 1d}, hepler: {runs: 1d}}
""",
        encoding="utf-8",
    )
    warnings = [str(warning) for warning in load_config(file).warnings]
    assert len(warnings) == 3
    for line, path, near in (
        (4, "storage.queue.per_agent.helpr", "helper"),
        (7, "storage.retention.agents.gone", ""),
        (10, "storage.retention.apps.acme.agents.hepler", "helper"),
    ):
        (found,) = [text for text in warnings if path in text]
        assert f":{line}:" in found
        assert "no agent is called" in found
        assert ("helper" in found) == bool(near)
