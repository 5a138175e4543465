"""The keys that Hector's documents print, and what becomes of each here: one table for several tests."""

import re
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("documented_keys.txt")
LINE = re.compile(
    r"(?P<path>[\w.]+): (?P<value>.*?) {2,}(?P<fate>works|idle|later|now .+?)(?P<later> later)?"
    r"(?: \+(?P<more>\d))?"
)
AROUND = {
    "defaults.vector_store": "vector_stores: {v: {}}",
    "defaults.embedder": "embedders: {e: {}}",
    "document_stores.d.vector_store": "vector_stores: {v: {}}",
    "document_stores.d.embedder": "embedders: {e: {}}",
}
"""What a key refers to."""
_SOME = "{mine: {path: p}, custom: {path: p}, pdf-parser: {path: p}}"
PLUGINS = (
    f"plugins: {{llm_providers: &p {_SOME}, tool_providers: *p, reasoning_strategies: *p, "
    "document_parsers: *p, database_providers: *p, embedder_providers: *p, agents: *p}"
)
"""What a value refers to that names a plugin."""


class Row(NamedTuple):
    """One line of the table."""

    path: str
    value: str
    fate: str
    later: bool
    more: int
    """Warnings beyond the one."""

    @property
    def text(self) -> str:
        """A config with that key in it, on its last line."""
        steps = self.path.split(".")
        lines = [f"{'  ' * depth}{step}:" for depth, step in enumerate(steps)]
        below = "  b: {}\n" if steps[0] == "agents" and steps[1] == "a" else ""
        around = PLUGINS if "plugin:" in self.value else AROUND.get(self.path, "x-audit: 1")
        return "\n".join([around, *lines]) + f" {self.value}\n{below}"


def rows() -> list[Row]:
    found = []
    for line in TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        parts = LINE.fullmatch(line)
        assert parts, line
        fate, later = parts["fate"], bool(parts["later"])
        found.append(
            Row(parts["path"], parts["value"], fate, later or fate == "later", int(parts["more"] or 0))
        )
    return found
