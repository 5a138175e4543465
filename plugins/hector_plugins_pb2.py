"""Every message of every kind under one name, as the first guide's Python sample imports them.

Its `from hector_plugins_pb2 import *` finds `os` here too, which it uses without importing it. New plugins
import from `hector.llm.v1` and the like.
"""

import os
from importlib import import_module

_PACKAGES = ("common", "llm", "vector", "embedder", "tool", "reasoning", "document", "plugin")

__all__ = ["os"]  # the rest is found below

for _package in _PACKAGES:
    _module = import_module(f"hector.{_package}.v1")
    for _name in _module.__all__:
        if not _name.endswith(("Stub", "Servicer", "_to_server")) and _name not in globals():
            globals()[_name] = getattr(_module, _name)
            __all__.append(_name)
