"""Loads a2a-sdk's messages without the web framework that it would take along where one is installed.

The SDK looks for starlette as soon as its types are imported, for the name of one annotation: some fifty
modules, of which nothing is ever used.
"""

import sys

_FRAMEWORK = "starlette.datastructures"

if _FRAMEWORK not in sys.modules:
    sys.modules[_FRAMEWORK] = None  # type: ignore[assignment]  # so Python says: there is none
    try:
        import a2a.types  # noqa: F401
    finally:
        del sys.modules[_FRAMEWORK]
