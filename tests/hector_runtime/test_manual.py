"""The config reference and the migration page are made from the models, and are current."""

from functools import cache
from pathlib import Path

import pytest
from support.documented_keys import rows

from hector_runtime import manual
from hector_runtime.aliases import ALIASES

DOCS = Path(__file__).parents[2] / "docs"

configuration, migration = (
    cache(manual.configuration),
    cache(manual.migration),
)  # seconds each, always the same


@pytest.mark.parametrize(("name", "made"), [("configuration.md", configuration), ("migration.md", migration)])
def test_the_page_is_what_the_code_says(name, made):
    """Ours: `make generate` writes it; a change of a model without it fails here."""
    assert (DOCS / name).read_text() == made(), "run `make generate`, and commit what it wrote"


def test_every_key_of_today_is_in_the_reference():
    page = configuration()
    for row in rows():
        if row.fate == "works":
            key = row.path.split(".")[-1]
            is_name = row.path.count(".") < (3 if row.path.startswith("plugins.") else 2)
            assert f"`{key}`" in page or f".{key}`" in page or is_name, row.path


def test_every_older_spelling_is_on_the_migration_page():
    page = migration()
    assert [row.old for row in ALIASES if f"`{row.old.replace('*', '<name>')}" not in page] == []


def test_what_the_documents_print_and_is_not_there_yet_is_on_the_migration_page():
    page = migration()
    missing = []
    for row in rows():
        if (
            row.fate == "later"
            and not row.value.startswith(("{", "["))
            and row.path.split(".")[0] != "plugins"
        ):
            steps = row.path.split(".")
            generic = [
                steps[0],
                *(["<name>"] if len(steps) > 1 and len(steps[1]) == 1 else steps[1:2]),
                *steps[2:],
            ]
            shown = [".".join(generic[:depth]) for depth in range(1, len(generic) + 1)]
            if not any(f"| `{path}`" in page for path in shown):
                missing.append(row.path)
    assert missing == []
