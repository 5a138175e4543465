"""Ours: every configuration that we show loads.

A fence of a page that begins with exactly ```yaml is a whole configuration. One that is something else
says so behind the language: ```yaml compose.yaml.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from hector_mesh import HectorError
from hector_runtime.config import load_config

FENCE = re.compile(r"^(?P<indent> *)```ya?ml *\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"\$\{(\w+)")


def test_every_example_loads_without_warnings(root: Path, texts: dict[Path, str]) -> None:
    examples = {
        path: text
        for path, text in texts.items()
        if path.is_relative_to(root / "examples") and path.suffix in {".yaml", ".yml"}
    }
    assert [problem for path, text in examples.items() for problem in problems_in(path, text)] == []


def test_every_configuration_in_a_page_loads_without_warnings(pages: dict[Path, str], tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    problems = []
    for page, text in pages.items():
        for line, sample in samples_in(text):
            path = tmp_path / f"{page.stem}-line-{line}.yaml"
            path.write_text(sample)
            problems += problems_in(path, sample)
    assert problems == []


def test_the_check_itself_sees_a_wrong_sample(tmp_path: Path) -> None:
    page = "text\n\n- item\n\n  ```yaml\n  agnets: {}\n  ```\n\n```yaml compose.yaml\nservices: {}\n```\n"
    ((line, sample),) = samples_in(page)
    path = tmp_path / "sample.yaml"
    path.write_text(sample)
    assert (line, sample) == (6, "agnets: {}\n")
    assert "agnets" in "".join(problems_in(path, sample))


def problems_in(path: Path, text: str) -> list[str]:
    """Load a configuration as on a machine that has every variable it names."""
    variables = dict.fromkeys(VARIABLE.findall(text), "sample")
    try:
        loaded = load_config(path, variables | dict(os.environ))
    except HectorError as error:
        return [str(error)]
    return [str(warning) for warning in loaded.warnings]


def samples_in(page: str) -> Iterator[tuple[int, str]]:
    """Give the line on which each configuration of a page begins, and its text."""
    for fence in FENCE.finditer(page):
        indent = len(fence["indent"])
        lines = [line[indent:] for line in fence["text"].splitlines(keepends=True)]
        yield page.count("\n", 0, fence.start("text")) + 1, "".join(lines)
