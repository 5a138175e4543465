"""features.md, config.check: one JSON Schema that accepts exactly the files that the loader accepts."""

from pathlib import Path

import jsonschema
import pytest
from support.documented_keys import Row, rows

from hector_config import ConfigInvalid
from hector_config.parse import parse
from hector_config.tree import data_of
from hector_runtime.config import load_config
from hector_runtime.schema import schema

VALIDATOR = jsonschema.Draft202012Validator(schema())


def takes(text: str) -> bool:
    return bool(VALIDATOR.is_valid(data_of(parse(text, "f", []))))


def loads(text: str, folder: Path) -> bool:
    file = folder / "hector.yaml"
    file.write_text(text)
    try:
        load_config(file, {"KEY": "sk-abc", "PORT": "8080"})
    except ConfigInvalid:
        return False
    return True


# Which names are declared only the loader knows.
ROWS = [row for row in rows() if not (row.later and row.path == "agents.a.tools")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.path}: {row.value}"[:90])
def test_the_schema_takes_a_documented_key_as_the_loader_does(row: Row) -> None:
    assert takes(row.text) == (not row.later), row.text
