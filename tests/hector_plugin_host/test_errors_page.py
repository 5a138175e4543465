"""Ours: docs/plugins/errors.md says what the code does."""

from pathlib import Path

import pytest
from grpc import StatusCode

from hector_mesh.error_table import RULES
from hector_plugin_host import call_errors
from hector_plugin_host.call_errors import PluginCallFailed

PAGE = Path(__file__).parents[2] / "docs/plugins/errors.md"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_table_has_every_status_and_what_follows_from_it() -> None:
    names = {code.name for code in StatusCode}
    rows = [cells(line) for line in PAGE.read_text().splitlines() if line.startswith("|")]
    printed = {row[0]: row[1:] for row in rows if len(row) == 5 and row[0] in names}
    yes = {True: "yes", False: ""}
    assert printed == {
        code.name: [rule.use, yes[rule.repeated], yes[rule.trips], yes[rule.may_pass]]
        for code, rule in RULES.items()
    }


def kinds() -> list[type[PluginCallFailed]]:
    found = [value for value in vars(call_errors).values() if isinstance(value, type)]
    inner = {"PLUGIN_NOT_FOUND", "UNKNOWN"}  # callers of plugins do not meet them
    return [one for one in found if issubclass(one, PluginCallFailed) and one.reason not in inner]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.reason)
def test_every_failure_that_is_the_hosts_own_is_told_of(kind: type[PluginCallFailed]) -> None:
    assert f"| `{kind.reason}` | {kind.code.name} |" in PAGE.read_text()


def test_every_status_has_a_rule() -> None:
    assert set(RULES) == set(StatusCode)
