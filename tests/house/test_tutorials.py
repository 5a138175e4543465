"""Ours: the code in a tutorial is what is built and tested.

A fence whose first line names a file, as ```python plugins/examples/python/tool/main.py, is that file.
"""

import re
from pathlib import Path

FENCE = re.compile(r"^```\w+ (?P<path>plugins/\S+)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
LONGEST = 30
"""Lines of code that a tool may take; neither blank ones nor comments count."""


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


def test_a_tool_in_python_is_short(root: Path) -> None:
    lines = (root / "plugins/examples/python/tool/main.py").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) < LONGEST
