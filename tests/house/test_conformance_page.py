"""Ours: the page about conformance says every rule as the kit says it, and no other."""

import re
from pathlib import Path

from hector_plugin.conformance import CHECKS

ROW = re.compile(r"^\| [A-Z]+\d+ \|.*$", re.MULTILINE)


def test_every_rule_stands_on_the_page_as_the_kit_says_it(root: Path) -> None:
    page = (root / "docs/plugins/conformance.md").read_text()
    said = [
        f"| {check.id} | {check.level.value} | **{check.title}**: {check.rule} | {check.mend} |"
        for check in CHECKS.values()
    ]
    assert ROW.findall(page) == said
