"""Writes docs/configuration.md and docs/migration.md from the models (`make generate`)."""

from pathlib import Path

from hector_runtime.manual import configuration, migration

if __name__ == "__main__":
    docs = Path(__file__).resolve().parents[1] / "docs"
    docs.joinpath("configuration.md").write_text(configuration(), encoding="utf-8")
    docs.joinpath("migration.md").write_text(migration(), encoding="utf-8")
