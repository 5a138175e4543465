"""The language every section's model is written with, and the loader that reads a file into it."""

from hector_config.paths import ProjectPath, project_dir_for, project_dir_of
from hector_config.reference import RefersTo
from hector_config.secret import MASK, Secret
from hector_config.section import Section
from hector_config.units import ByteSize, Duration, Text

__all__ = [
    "MASK",
    "ByteSize",
    "Duration",
    "ProjectPath",
    "RefersTo",
    "Secret",
    "Section",
    "Text",
    "project_dir_for",
    "project_dir_of",
]
