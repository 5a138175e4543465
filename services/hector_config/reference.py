"""Names that must be declared elsewhere in the same file."""

from collections.abc import Collection
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class RefersTo:
    """Marks a string as the name of an entry of another section: `Annotated[str, RefersTo("llms")]`.

    A name that is declared in none of `sections` is an error at its own line; lists, maps and unions of
    references work alike. `also` names what exists without being declared. Only the loader checks: a model
    built in Python takes any name.
    """

    def __init__(self, *sections: str, also: Collection[str] = ()) -> None:
        self.sections = sections
        self.also = frozenset(also)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "x-refers-to": list(self.sections)}

    def _check(self, name: str, info: ValidationInfo) -> str:
        context = info.context
        if not isinstance(context, dict) or "names" not in context or name in self.also:
            return name
        names = context["names"]
        if any(name in names(section) for section in self.sections):
            return name
        later = context.get("later", {})
        facts = {
            "name": name,
            "sections": self.sections,
            "declared": self._declared(context),
            "is_later": any(name in later.get(section, ()) for section in self.sections),
        }
        raise PydanticCustomError("dangling_reference", "no such entry", facts)

    def _declared(self, context: dict[Any, Any]) -> list[str]:
        """Return what might have been meant; sorted once for a file, whose errors may be many."""
        key = ("declared", self.sections, self.also)
        if key not in context:
            names = context["names"]
            known = {known for section in self.sections for known in names(section)}
            context[key] = sorted(known | self.also)
        found: list[str] = context[key]
        return found
