"""Finds out which contract a servicer keeps."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from hector_mesh import LocalServer, Server


@dataclass(frozen=True, slots=True)
class Contract:
    """One servicer, as the contract it extends sees it."""

    service: str
    """The service's full name, for example "hector.llm.v1.LLMProvider"."""
    rpcs: tuple[str, ...]
    """The methods that the servicer has written itself."""
    register: Callable[[Server], None]
    """Adds the servicer to a server."""


def contract_of(servicer: object) -> Contract:
    """Return what a servicer serves.

    Raises:
        TypeError: It is an instance of no generated servicer class.
    """
    for ancestor in type(servicer).__mro__:
        module = sys.modules[ancestor.__module__]
        add = getattr(module, f"add_{ancestor.__name__}_to_server", None)
        if module.__name__.endswith("_pb2_grpc") and add is not None:
            break
    else:
        raise TypeError(f"{type(servicer).__name__} extends no servicer class of a contract")
    registered = LocalServer(())  # generated code says a service's name only to a server
    add(servicer, registered)
    (service,) = registered.services
    left_out = vars(ancestor)
    methods = [name for name in left_out if not name.startswith("_") and callable(left_out[name])]
    written = tuple(name for name in methods if getattr(type(servicer), name) is not left_out[name])
    return Contract(service, written, lambda server: add(servicer, server))
