"""Says what pydantic found wrong in the words of somebody who edits a config file."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic_core import ErrorDetails

from hector_config.one_of import LATER
from hector_config.problem import Mark, Misfit, Path, Problem, listed, problem_at, quoted, spelled
from hector_config.shape import Place, Shape
from hector_config.tree import Map, Node, Scalar, key_mark_at, mark_at, node_at
from hector_config.words import (
    LIMITS,
    MISSING,
    REREADABLE,
    SHAPES,
    allowed_by,
    did_you_mean,
    hint_for,
    limit_of,
    nearest,
    shown,
)


@dataclass(frozen=True, slots=True)
class _Found:
    """One error of pydantic, and where it belongs in the file."""

    error: ErrorDetails
    place: Place
    node: Node | None

    @property
    def is_about_shape(self) -> bool:
        return self.error["type"] in REREADABLE


class Explanation:
    """The problems behind a list of pydantic's errors."""

    def __init__(self, shape: Shape, root: Map, private: Mapping[str, str] | None = None) -> None:
        """Take the model and the file; the values to hide, and what to show."""
        self._shape = shape
        self._root = root
        self._undecided: set[Path] = set()  # mappings whose kind is wrong: which keys they have is not known
        self._private = private or {}
        self._comparisons = 20_000  # about a quarter of a second
        self._meant: set[str] = set()  # the paths of missing keys that another spelling was written for

    def of(self, errors: Iterable[ErrorDetails]) -> list[Problem]:
        """Return one problem for each thing to repair, without those that follow from a doubtful value."""
        located: list[_Found] = []
        for error in errors:
            place = self._shape.locate(error["loc"])
            node = None if place.is_key else node_at(self._root, place.path)
            located.append(_Found(error, place, node))
            if error["type"] == "one_of" and error["ctx"]["decides"]:
                self._undecided.add(place.path[:-1])
        groups: dict[Path, list[_Found]] = defaultdict(list)
        for found in _best_arms([found for found in located if not self._is_noise(found)], 0):
            groups[found.place.path].append(found)
        problems = [problem for group in groups.values() for problem in self._problems(group)]
        # `modle` for a required `model` is one mistake: the hint says it.
        return [one for one in problems if not (one.message == MISSING and one.path in self._meant)]

    def _is_noise(self, found: _Found) -> bool:
        tag = found.error.get("ctx", {}).get("discriminator")
        node, path = found.node, found.place.path
        if found.error["type"] == "extra_forbidden" and path[:-1] in self._undecided:
            return True
        if tag and isinstance(node, Map):
            node = node.entries.get(str(tag).strip("'"))
        return isinstance(node, Scalar) and node.doubtful

    def _nearest(self, word: str, known: Sequence[str]) -> str:
        """Return the known word most like this one, unless too much has been compared already."""
        self._comparisons -= len(known)
        return nearest(word, known) if self._comparisons > 0 else ""

    def _mark(self, place: Place) -> Mark:
        return key_mark_at(self._root, place.path) if place.is_key else mark_at(self._root, place.path)

    def _problems(self, group: list[_Found]) -> list[Problem]:
        """Return the problems at one path; the arms of a union that want another shape become one."""
        about_shape = [found for found in group if found.is_about_shape]
        problems = [self._wrong_shape(about_shape)] if about_shape else []
        for found in group:
            if not found.is_about_shape:
                problems += self._other(found)
        return problems

    def _wrong_shape(self, group: list[_Found]) -> Problem:
        place, node = group[0].place, group[0].node
        schemas = [schema for found in group for schema in found.place.schemas]
        allowed = list(dict.fromkeys(allowed_by(found.error) for found in group))
        secret = self._shape.is_secret(tuple(schemas))
        hidden = secret or set(allowed) <= SHAPES
        hint = "" if hidden else hint_for(node, [found.error for found in group], allowed)
        if secret and isinstance(node, Scalar) and not isinstance(node.value, str) and node.text:
            hint = "put it in quotes"
        return problem_at(
            self._mark(place),
            place.path,
            "wrong key" if place.is_key else "wrong value",
            found=shown(node, hidden=hidden),
            allowed=" or ".join(allowed),
            hint=hint,
        )

    def _other(self, found: _Found) -> list[Problem]:
        kind, context = found.error["type"], found.error.get("ctx", {})
        path, mark = found.place.path, mark_at(self._root, found.place.path)
        if kind == "extra_forbidden":
            return [self._unknown_key(found)]
        if kind == "missing":
            return [problem_at(mark, path, MISSING)]
        if kind in ("union_tag_invalid", "union_tag_not_found"):
            return [self._wrong_tag(found)]
        if kind == "dangling_reference":
            return [self._dangling(found)]
        if kind == "one_of":
            return [self._wrong_word(found)]
        if kind == "later":
            return [problem_at(mark, path, LATER, hint=context["hint"])]
        if kind in LIMITS:
            allowed = limit_of(kind, context, found.node.text if isinstance(found.node, Scalar) else "")
            hidden = self._shape.is_secret(found.place.schemas)
            return [
                problem_at(mark, path, "wrong value", found=shown(found.node, hidden=hidden), allowed=allowed)
            ]
        raised = context.get("error")
        if isinstance(raised, Misfit):
            return misfits([raised], self._root, path, self._private)
        return [problem_at(mark, path, scrubbed(str(raised or found.error["msg"]), self._private))]

    def _unknown_key(self, found: _Found) -> Problem:
        path = found.place.path
        key, holder = str(path[-1]), node_at(self._root, path[:-1])
        later = self._shape.later_at(found.place.holders)
        if key in later:
            return problem_at(key_mark_at(self._root, path), path, LATER, hint=later[key] or "leave it out")
        names = self._shape.keys_at(found.place.holders)
        free = [name for name in names if not (isinstance(holder, Map) and name in holder.entries)]
        meant = self._nearest(key, free) or self._nearest(key, names)
        if meant:
            self._meant.add(spelled((*path[:-1], meant)))
        return problem_at(
            key_mark_at(self._root, path),
            path,
            "unknown key",
            allowed=listed(names),
            hint=did_you_mean(meant),
        )

    def _wrong_tag(self, found: _Found) -> Problem:
        context = found.error["ctx"]
        path = (*found.place.path, str(context["discriminator"]).strip("'"))
        node = node_at(self._root, path)
        names = self._shape.tags_of(found.place.schemas)
        if node is None:
            return problem_at(mark_at(self._root, path), path, MISSING, allowed=listed(names))
        word = node.text if isinstance(node, Scalar) and not node.variables else ""
        return problem_at(
            mark_at(self._root, path),
            path,
            "wrong value",
            found=shown(node),
            allowed=listed(names),
            hint=did_you_mean(self._nearest(word, names)),
        )

    def _wrong_word(self, found: _Found) -> Problem:
        context, node, path = found.error["ctx"], found.node, found.place.path
        allowed = listed(map(quoted, context["words"]))
        if context["is_later"]:
            hidden = isinstance(node, Scalar) and node.variables
            message = LATER if hidden else f"{quoted(str(context['found']))} is {LATER}"
            return problem_at(mark_at(self._root, path), path, message, allowed=allowed, hint=context["hint"])
        if node is None:  # what a default or a name stands for is in no line of the file, and is no secret
            word = str(context["found"])
            message, stands = f"left out, and {quoted(word)} is none of what it can be", ""
        else:
            word = node.text if isinstance(node, Scalar) and not node.variables else ""
            message, stands = "wrong value", shown(node)
        near = self._nearest(word, [*context["words"], *context["later"]])
        hint = did_you_mean(near) or context["hint"]
        return problem_at(mark_at(self._root, path), path, message, found=stands, allowed=allowed, hint=hint)

    def _dangling(self, found: _Found) -> Problem:
        context, node = found.error["ctx"], found.node
        declared, sections = context["declared"], " or ".join(f"{name}:" for name in context["sections"])
        name, word = str(context["name"]), quoted(str(context["name"]))
        if isinstance(node, Scalar):
            name, word = ("" if node.variables else node.text), shown(node)
        if context["is_later"]:
            message = f"{word} is {LATER}"
            return problem_at(self._mark(found.place), found.place.path, message, allowed=listed(declared))
        return problem_at(
            self._mark(found.place),
            found.place.path,
            f"{word} is not declared under {sections}",
            allowed=listed(declared),
            hint=did_you_mean(self._nearest(name, declared)),
        )


def misfits(
    raised: Iterable[Misfit], root: Map, base: Path = (), private: Mapping[str, str] | None = None
) -> list[Problem]:
    """Return what validators and checks found, at its place in the file."""
    problems: list[Problem] = []
    for misfit in raised:
        path = (*base, *misfit.at)
        message, hint = scrubbed(misfit.message, private or {}), scrubbed(misfit.hint, private or {})
        problems.append(problem_at(mark_at(root, path), path, message, hint=hint))
        problems += misfits(misfit.also, root, base, private)
    return problems


def scrubbed(text: str, private: Mapping[str, str]) -> str:
    """Return a message that others worded, without the values that must not be shown."""
    for value, instead in private.items():
        text = text.replace(value, instead)
    return text


def _best_arms(errors: list[_Found], depth: int) -> list[_Found]:
    """Keep, of each union, the arm that the file comes nearest to; all arms when none fits its shape."""
    unions: dict[Path, dict[str, list[_Found]]] = defaultdict(lambda: defaultdict(list))
    kept: list[_Found] = []
    for found in errors:
        if len(found.place.arms) > depth:
            path, arm = found.place.arms[depth]
            unions[path][arm].append(found)
        else:
            kept.append(found)
    for path, arms in unions.items():
        fitting = [
            group
            for group in arms.values()
            if not any(found.place.path == path and found.is_about_shape for found in group)
        ]
        chosen = [min(fitting, key=len)] if fitting else list(arms.values())
        for group in chosen:
            kept += _best_arms(group, depth + 1)
    return kept
