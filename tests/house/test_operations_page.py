"""Ours: the operations page has every series and every field of the log, and alerts on what is there."""

import ast
import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hector_mesh.metrics import declared

PAGE = "docs/operations.md"
OF_PLUGINS, PLUGINS_PAGE = "hector_plugin_", "docs/plugins/operating.md"
FROM_PYTHON = {"time", "level", "logger", "message"}
SUFFIXES = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The operations page."""
    return (root / PAGE).read_text()


@pytest.fixture(scope="module")
def series(root: Path) -> set[str]:
    """The names of all instruments of ours."""
    for path in sources(root):
        if re.search(
            r"^from (hector_mesh)?\.metrics import .*(Counter|Gauge|Histogram)|^from hector_mesh.metrics",
            path.read_text(),
            re.M,
        ):
            inside = path.relative_to(root).with_suffix("").parts[1:]
            importlib.import_module(".".join(inside))
    importlib.import_module("hector_plugin_host.measuring")
    return {name for name in declared() if name.startswith("hector_")}


def test_every_series_stands_in_the_table_as_it_is_declared(page: str, series: set[str]) -> None:
    rows = re.findall(r"^\| `(hector_\w+)` \| (\w+) \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    known = declared()
    wanted = [
        (name, known[name].kind, ", ".join(known[name].labels) or "none", known[name].about)
        for name in sorted(series)
        if not name.startswith(OF_PLUGINS)
    ]
    lines = "\n".join(f"| `{name}` | {kind} | {labels} | {about} |" for name, kind, labels, about in wanted)
    assert rows == wanted, f"the table in {PAGE} should be:\n{lines}"


def test_every_series_of_plugins_stands_on_their_page_with_its_labels(root: Path, series: set[str]) -> None:
    text = (root / PLUGINS_PAGE).read_text()
    rows = dict(re.findall(r"^\| `(hector_plugin_\w+)` \| (.+?) \| .+ \|$", text, re.MULTILINE))
    known = declared()
    assert rows == {name: ", ".join(known[name].labels) for name in series if name.startswith(OF_PLUGINS)}


def test_names_follow_prometheus(series: set[str]) -> None:
    known = declared()
    wrong = [name for name in series if (known[name].kind == "counter") != name.endswith("_total")]
    assert wrong == []


def test_nothing_is_said_of_series_that_are_not_there(pages: dict[Path, str], series: set[str]) -> None:
    packages = {"hector_config", "hector_mesh", "hector_plugin"}
    for path, text in pages.items():
        if path.parent.name != "docs":
            continue
        for name in re.findall(r"\bhector_\w+(?:_total|_seconds|_bucket|_count|_active|_rows)\b", text):
            base = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
            assert name in series or base in series or name in packages, f"{path.name}: {name}"


def test_every_fact_of_a_log_line_stands_in_the_table(root: Path, page: str) -> None:
    table = page.partition("| field | says |")[2].partition("\n\n")[0]
    told = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.partition(" | ")[0])}
    logged = {fact for path in sources(root) for fact in facts_in(path.read_text())} - FROM_PYTHON
    assert logged - told == set()


def test_alerts_are_rules_that_prometheus_understands(page: str, tmp_path: Path) -> None:
    (rules,) = re.findall(r"^```yaml alerts.yml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here (Debian's package prometheus has it)")
    file = tmp_path / "alerts.yml"
    file.write_text(rules)
    command = [promtool, "check", "rules", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def sources(root: Path) -> Iterator[Path]:
    """Yield the files of all packages of ours."""
    for folder in ("services", "gateway"):
        yield from (root / folder).glob("hector_*/**/*.py")


def facts_in(text: str) -> Iterator[str]:
    """Yield the names of what a file gives to its log as `extra`, or gathers as `facts`."""
    if "getLogger" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and node.arg == "extra":
            yield from keys_in(node.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == "facts":
                yield from keys_in(node.value)
            elif (
                isinstance(target, ast.Subscript)
                and isinstance(target.value, ast.Name)
                and target.value.id == "facts"
                and isinstance(target.slice, ast.Constant)
            ):
                yield str(target.slice.value)


def keys_in(value: ast.expr) -> Iterator[str]:
    """Yield the keys of the dictionaries in an expression."""
    for node in ast.walk(value):
        if isinstance(node, ast.Dict):
            yield from (str(key.value) for key in node.keys if isinstance(key, ast.Constant))
