"""Refuses what the configuration may say, but this version cannot do yet: nothing is ignored in silence."""

from collections.abc import Collection
from typing import TypeVar

from pydantic_core import PydanticCustomError

from hector_config import Section

Model = TypeVar("Model", bound=Section)


def only(available: str, found: str, known: Collection[str], what: str) -> str:
    if found == available:
        return found
    if found in known:
        message = '{what} "{found}" is known, but not available in this version; available: {available}'
    else:
        message = 'there is no {what} "{found}"; available: {available}'
    raise PydanticCustomError("unavailable", message, {"what": what, "found": found, "available": available})


def unavailable(section: Model, *keys: str) -> Model:
    given = [key for key in keys if getattr(section, key)]
    if given:
        message = "{keys}: known, but not available in this version; leave it out"
        raise PydanticCustomError("unavailable", message, {"keys": ", ".join(given)})
    return section
