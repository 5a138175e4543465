"""Every stub and servicer of every kind under one name, as the first guide's Python sample imports them."""

from importlib import import_module

from hector_plugins_pb2 import _PACKAGES

__all__ = []  # found below

for _package in _PACKAGES:
    _module = import_module(f"hector.{_package}.v1")
    for _name in _module.__all__:
        if _name.endswith(("Stub", "Servicer", "_to_server")):
            globals()[_name] = getattr(_module, _name)
            __all__.append(_name)
