"""Writes docs/cli.md from the commands (`make generate`)."""

from pathlib import Path

from hector_runtime.cli.reference import page

if __name__ == "__main__":
    Path(__file__).resolve().parents[1].joinpath("docs/cli.md").write_text(page(), encoding="utf-8")
