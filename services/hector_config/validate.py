"""Checks a tree against a model, strictly, and tells the model what only the whole file knows."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path as FilePath
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from hector_config.explain import Explanation, misfits
from hector_config.private import is_private
from hector_config.problem import Misfit, Problem
from hector_config.scalars import resolve
from hector_config.shape import Shape
from hector_config.tree import Data, Map, Scalar, data_of, matches, node_at, scalars_of
from hector_config.words import REREADABLE

M = TypeVar("M", bound=BaseModel)

Check = Callable[[Mapping[str, Data]], Iterable[Misfit]]
"""Looks at the values of a whole file, whatever shape they have, and returns what does not fit together."""

_SHORTEST = 3  # characters; replacing shorter values would only garble messages


class Validation:
    """One tree on its way into a model."""

    def __init__(
        self,
        root: Map,
        project_dir: FilePath,
        known: Mapping[str, Collection[str]],
        later: Mapping[str, Collection[str]],
    ) -> None:
        self._root = root
        self._known = known
        self._names: dict[str, frozenset[str]] = {}
        self._context = {
            "project_dir": project_dir,
            "names": self._declared,
            "later": later,
            "filled": self._filled,
            "private": self._private_texts,
        }

    def run(
        self,
        model: type[M],
        checks: Iterable[Check],
        environment: Mapping[str, str],
        problems: list[Problem],
    ) -> M | None:
        """Return the model, or add what is wrong to `problems` and return None."""
        config, errors = self._validate(model)
        data = data_of(self._root)
        raised = [misfit for check in checks for misfit in check(data)] if isinstance(data, dict) else []
        if errors or raised:
            shape = Shape(model)
            private = _private(self._root, shape, environment)
            problems += Explanation(shape, self._root, private).of(errors)
            problems += misfits(raised, self._root, private=private)
        return config

    def _validate(self, model: type[M]) -> tuple[M | None, list[ErrorDetails]]:
        while True:
            # JSON, because strict validation of JSON knows that a list may become a tuple and a string a
            # path, and still takes no "5" for 5.
            document = to_json(data_of(self._root), inf_nan_mode="constants")
            try:
                config = model.model_validate_json(
                    document, strict=True, context=self._context, by_alias=True, by_name=False
                )
                return config, []
            except ValidationError as error:
                errors = error.errors(include_url=False, include_input=False)
            if not self._reread(Shape(model), errors):
                return None, errors

    def _reread(self, shape: Shape, errors: list[ErrorDetails]) -> bool:
        """Let values from variables be text or number, whichever their field wants; True when one changed."""
        changed = False
        for error in errors:
            node = node_at(self._root, shape.locate(error["loc"]).path)
            if not isinstance(node, Scalar) or node.reread or node.doubtful:
                continue
            if not (error["type"] == "as_written" or (node.variables and error["type"] in REREADABLE)):
                continue
            node.reread = True
            other = resolve(node.text) if isinstance(node.value, str) else node.text
            changed = changed or other != node.value
            node.value = other
        return changed

    def _declared(self, section: str) -> Collection[str]:
        """Return the names of a section's entries, those included that are themselves not right."""
        if section not in self._names:
            found = {str(path[-1]) for path, _ in matches(self._root, f"{section}.*")}
            self._names[section] = frozenset(found | set(self._known.get(section, ())))
        return self._names[section]

    def _filled(self) -> frozenset[str]:
        """Return the texts that came from variables."""
        return frozenset(scalar.text for _, scalar in scalars_of(self._root) if scalar.variables)

    def _private_texts(self) -> frozenset[str]:
        """Return the texts that came from variables named like secrets, as OPENAI_API_KEY."""
        return frozenset(
            scalar.text
            for _, scalar in scalars_of(self._root)
            if scalar.text and any(is_private(name) for name in scalar.variables)
        )


def _private(root: Map, shape: Shape, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values that no message may show, and what it shows instead."""
    hidden = {scalar.text: "***" for scalar in shape.secrets_in(root)}
    for _, scalar in scalars_of(root):
        hidden |= {environment.get(name, ""): f"${{{name}}}" for name in scalar.variables}
    longest_first = sorted(hidden, key=len, reverse=True)
    return {text: hidden[text] for text in longest_first if len(text) >= _SHORTEST}
