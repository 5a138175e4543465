"""What makes a start quick: packages that run only when something of them is wanted.

docs/performance.md has what each of them costs.
"""

import importlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from types import ModuleType

LATER: Mapping[str, Mapping[str, str]] = {
    "importlib.metadata": {"entry_points": "importlib.metadata"},
    "logging.config": {},
    "uvicorn": {"Config": "uvicorn.config"},
}
"""Imported by what we need, and not needed: pydantic would look for plugins with the first, uvicorn would
configure logging with the second, and its own `__init__` loads its command line and its reloaders.

With the names that are imported from them all the same, and the module to take them from; where that is the
same one, the name is a function, which loads its module when it is called.
"""


def begin() -> None:
    """Prepare this process for its imports."""
    # Or pydantic reads the metadata of every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    for name in LATER:
        if name not in sys.modules:
            _put_off(name)


class _Later(ModuleType):
    """A module whose code runs when it is first asked for a name that it does not have yet."""

    def __getattr__(self, name: str) -> object:
        if name == "__path__":  # no package; the import system asks to find that out
            raise AttributeError(name)
        home = LATER[self.__name__].get(name)
        if home is None:
            return ModuleType.__getattribute__(_run(self), name)
        return _calling(self, name) if home == self.__name__ else getattr(importlib.import_module(home), name)


_running = threading.RLock()
_begun: set[str] = set()


def _run(module: ModuleType) -> ModuleType:
    """Run a module's code once. Other threads wait until it has run; its own goes on with what is there."""
    with _running:
        if type(module) is _Later and module.__name__ not in _begun:
            _begun.add(module.__name__)
            assert module.__spec__ is not None
            assert module.__spec__.loader is not None
            module.__spec__.loader.exec_module(module)
            module.__class__ = ModuleType  # type: ignore[assignment]  # as importlib.util.LazyLoader does
    return module


def _calling(module: ModuleType, name: str) -> Callable[..., object]:
    def call(*args: object, **named: object) -> object:
        found: object = getattr(_run(module), name)(*args, **named)
        return found

    return call


def _put_off(name: str) -> None:
    parent, _, last = name.rpartition(".")
    path = importlib.import_module(parent).__path__ if parent else None
    spec = PathFinder.find_spec(name, path)
    if spec is None:
        return
    module = _Later(name)
    module.__spec__, module.__loader__, module.__file__ = spec, spec.loader, spec.origin
    module.__package__ = name if spec.submodule_search_locations else parent
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    sys.modules[name] = module
    if parent:
        setattr(sys.modules[parent], last, module)
