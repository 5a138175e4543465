"""The language every section's model is written with, and the loader that reads a file into it."""

import importlib
from typing import TYPE_CHECKING

from hector_config.one_of import Off, OneOf
from hector_config.paths import ProjectPath, project_dir_for, project_dir_of
from hector_config.problem import Mark, Misfit, Problem
from hector_config.reference import RefersTo
from hector_config.secret import MASK, Secret
from hector_config.section import Section
from hector_config.settings import Settings
from hector_config.units import ByteSize, Duration, Text

if TYPE_CHECKING:
    from hector_config.dotenv import read_environment
    from hector_config.invalid import ConfigInvalid
    from hector_config.loading import Loaded, load
    from hector_config.schema import json_schema
    from hector_config.sealing import Sealed, sealed
    from hector_config.show import dump, masked_data
    from hector_config.spelling import Alias, Reform, Spelling
    from hector_config.tree import Data, Map, Marks, Scalar, Seq
    from hector_config.validate import Check

__all__ = [
    "MASK",
    "Alias",
    "ByteSize",
    "Check",
    "ConfigInvalid",
    "Data",
    "Duration",
    "Loaded",
    "Map",
    "Mark",
    "Marks",
    "Misfit",
    "Off",
    "OneOf",
    "Problem",
    "ProjectPath",
    "RefersTo",
    "Reform",
    "Scalar",
    "Sealed",
    "Secret",
    "Section",
    "Seq",
    "Settings",
    "Spelling",
    "Text",
    "dump",
    "json_schema",
    "load",
    "masked_data",
    "project_dir_for",
    "project_dir_of",
    "read_environment",
    "sealed",
]

# Models need pydantic alone; what reads files (PyYAML; gRPC for the error) comes when asked for.
_LATER = {
    "Alias": "spelling",
    "Check": "validate",
    "ConfigInvalid": "invalid",
    "Data": "tree",
    "Loaded": "loading",
    "Map": "tree",
    "Marks": "tree",
    "Reform": "spelling",
    "Scalar": "tree",
    "Sealed": "sealing",
    "Seq": "tree",
    "Spelling": "spelling",
    "dump": "show",
    "json_schema": "schema",
    "load": "loading",
    "masked_data": "show",
    "read_environment": "dotenv",
    "sealed": "sealing",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
