"""`hector plugin protos`: the same as `hector protos`."""

from .protos import command

__all__ = ["command"]
