"""One JSON Schema from the same models that load the file."""

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from hector_config.former import add_aliases
from hector_config.spelling import Spelling

VARIABLE: Mapping[str, object] = {"type": "string", "pattern": r"\$\{"}
"""A string with a variable in it: what it will be is known only when it is filled."""


def json_schema(model: type[BaseModel], aliases: Sequence[Spelling] = ()) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the files that `load` accepts, old spellings included.

    A value that is no string may also be a string with `${` in it, and top-level keys that begin with `x-`
    are free. What a schema cannot say (references, checks between values) only the loader finds.
    """
    schema = model.model_json_schema(schema_generator=_Generator)
    add_aliases(schema, aliases)
    schema["patternProperties"] = {"^x-": True}
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


class _Generator(GenerateJsonSchema):
    """pydantic's generator, which also knows variables and reads the strings below the fields."""

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return or_variable(super().int_schema(schema))

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return or_variable(super().float_schema(schema))

    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return or_variable(super().bool_schema(schema))

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return or_variable(super().literal_schema(schema))

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return or_variable(super().enum_schema(schema))

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        found = super().str_schema(schema)
        return found if found == {"type": "string"} else or_variable(found)

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        # `type: ${KIND}` may be any arm, so it cannot be exactly one.
        found = super().tagged_union_schema(schema)
        found.pop("discriminator", None)
        return {("anyOf" if key == "oneOf" else key): value for key, value in found.items()}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        properties = found.get("properties", {})
        for name, text in field_docs(schema["cls"]).items():
            alias = schema["cls"].model_fields[name].validation_alias
            key = alias if isinstance(alias, str) else name
            if key in properties and "description" not in properties[key]:
                properties[key] = {**properties[key], "description": text}
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def or_variable(schema: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [schema, dict(VARIABLE)]}


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the string below each field; read from the source only here, because it is slow."""
    docs: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            docs |= _docs_of(owner)
    return {name: text for name, text in docs.items() if name in model.model_fields}


@cache
def _docs_of(owner: type) -> Mapping[str, str]:
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    except (OSError, TypeError, SyntaxError):
        return {}  # made without a source file: there is nothing to read
    docs: dict[str, str] = {}
    body = module.body[0].body if isinstance(module.body[0], ast.ClassDef) else []
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = inspect.cleandoc(text)
    return docs
