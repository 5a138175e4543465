"""Ours: the code in a tutorial is what is built and tested.

A fence whose first line names a file, as ```python plugins/examples/python/tool/main.py, is that file.
"""

import re
from pathlib import Path

import pytest

FENCE = re.compile(r"^```\w+ (?P<path>plugins/\S+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
LONGEST = 30
LANGUAGES = ("python", "go", "typescript", "rust", "java")
TEST = re.compile("test", re.IGNORECASE)
SOURCES = {".py", ".go", ".ts", ".rs", ".java"}
COMMENTS = ("#!", "# ", '"""', "//", "/**", "mod tests", "#[cfg(test)]")
ROOMY = {
    "go": "gofmt gives a field with a tag three lines",
    "typescript": "its tests import what main.ts serves",
}
"""Where neither blank lines nor comments count; elsewhere all of them do."""


def test_every_named_file_is_as_it_stands_in_the_page(root: Path, pages: dict[Path, str]) -> None:
    different = [
        f"{page.relative_to(root)}: {found['path']}"
        for page, text in pages.items()
        for found in FENCE.finditer(text)
        if not (root / found["path"]).is_file() or (root / found["path"]).read_text() != found["text"]
    ]
    assert different == []


def test_every_tutorial_shows_a_whole_plugin(root: Path, pages: dict[Path, str]) -> None:
    tutorials = {page: text for page, text in pages.items() if page.parent == root / "docs/plugins/sdk"}
    assert tutorials
    assert [page.name for page, text in tutorials.items() if not FENCE.search(text)] == []


def test_the_examples_in_typescript_need_no_build(root: Path) -> None:
    """Node strips types, and looks for exactly the file that an import names."""
    files = [*(root / "plugins/examples/typescript").glob("*/*.ts")]
    imports = [found for file in files for found in re.findall(r'from "(\.[^"]+)"', file.read_text())]
    assert imports
    assert [name for name in imports if not name.endswith(".ts")] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tools_are_short_in_every_language(root: Path, language: str) -> None:
    folder = root / "plugins/examples" / language / "tool"
    files = [file for file in folder.rglob("*.*") if file.suffix in SOURCES and not TEST.search(file.stem)]
    lines = [line.strip() for file in files for line in file.read_text().splitlines()]
    if language in ROOMY:
        lines = [line for line in lines if line and not line.startswith(COMMENTS)]
    assert 0 < len(lines) < LONGEST
