"""What every section's model is written with."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of the config file: its keys are its fields, and there are no others.

    Immutable once loaded. The string below each field is its documentation, in the JSON Schema and everywhere
    else. A key that is no Python name, or that `BaseModel` uses, gets `Field(alias="schema")`.
    """

    later: ClassVar[Mapping[str, str]] = {}
    """Keys that Hector's documents know and this version has not, each with what to do instead. The loader
    refuses them as known, but not available; whoever makes one a field takes it out of here."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        # A default section made at import time holds paths that only the loader can place.
        revalidate_instances="always",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )
