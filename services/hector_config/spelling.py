"""Old spellings: what a key is called today, and how an old file becomes a new one."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from hector_config.problem import Mark, Path, Problem, problem_at, quoted, spelled
from hector_config.tree import Map, Node, Scalar, Seq, child_of, matches, node_at


@dataclass(frozen=True, slots=True)
class Alias:
    """One older spelling that still loads.

    `old` and `new` are key paths in which `*` stands for any name or position: `llms.*.host` is now
    `llms.*.base_url`. The n-th `*` of `new` is what the n-th of `old` met. An empty `new` means the key has
    no effect any more. A row applies only where all of its conditions hold.
    """

    old: str
    new: str
    note: str = ""
    """One more sentence for the reader of the warning and of the migration page."""
    values: Mapping[str, str] = field(default_factory=dict)
    """New words for old ones. When `old` equals `new` the row is about these values only."""
    shape: type[Scalar] | type[Map] | type[Seq] | None = None
    """What the old value must be: `Alias("source", "source.type", shape=Scalar)`."""
    when: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Keys of the old mapping, and the values one of which each must have; `x:*` is all that begin so."""


@dataclass(frozen=True, slots=True)
class Reform:
    """An older form that no pair of paths can say: a function makes the new one of it."""

    old: str
    """The path pattern at which the function looks."""
    new: str
    """What the warning and the migration page call the new form."""
    change: Callable[[Map, Path, Node], bool | Path]
    """Gets the root, the path that `old` met and what stands there; changes the tree, keeping the marks, and
    says whether this was the old form. A path says that it was, and that the new place is taken."""
    note: str = ""
    schema: Mapping[str, object] = field(default_factory=dict)
    """What the JSON Schema takes at `old` because of it; nothing: it takes that already, or not yet."""
    like: str = ""
    """A path whose schema `old` takes too."""


Spelling = Alias | Reform


def modernise(
    root: Map, spellings: Sequence[Spelling], problems: list[Problem], warnings: list[Problem]
) -> None:
    """Rewrite old spellings in place, one warning each; another value under the new one is a problem."""
    for row in spellings:
        for path, holder in list(matches(root, row.old)):
            node = child_of(holder, path[-1])
            if node is None:
                continue
            if isinstance(row, Alias):
                if _applies(row, node):
                    _Move(row, root, path).run(node, problems, warnings)
                continue
            mark = holder.keys[str(path[-1])] if isinstance(holder, Map) else node.mark
            changed = row.change(root, path, node)
            if isinstance(changed, tuple):
                problems.append(problem_at(mark, path, f"{spelled(changed)} is set too", hint="remove one"))
            elif changed:
                warnings.append(problem_at(mark, path, f"old spelling, now {row.new}", hint=row.note))


def put_at(root: Map, path: Path, mark: Mark, node: Node) -> Path | None:
    """Put a node where it belongs, with the mappings around it; return the path that is taken, if one is.

    A mapping is merged into the one that is there. The same word twice takes nothing away.
    """
    holder: Node = root
    for depth, step in enumerate(path[:-1]):
        below = child_of(holder, step)
        if below is None and isinstance(holder, Map):
            below = Map(mark)
            holder.put(str(step), mark, below)
        if below is None or isinstance(below, Scalar):
            return path[: depth + 1]
        holder = below
    key, present = str(path[-1]), child_of(holder, path[-1])
    if not isinstance(holder, Map):
        return path
    if present is None:
        holder.put(key, mark, node)
        return None
    if isinstance(present, Scalar) and isinstance(node, Scalar) and present.value == node.value:
        return None
    if not (isinstance(present, Map) and isinstance(node, Map)):
        return path
    clashes = [put_at(root, (*path, name), node.keys[name], child) for name, child in node.entries.items()]
    return next((clash for clash in clashes if clash), None)


class _Move:
    """One occurrence of an old spelling on its way to its new place."""

    def __init__(self, alias: Alias, root: Map, path: Path) -> None:
        pattern = alias.old.split(".")
        met = iter([step for step, wanted in zip(path, pattern, strict=True) if wanted == "*"])
        self._alias = alias
        self._root = root
        self._old = path
        self._new: Path = tuple(
            next(met, step) if step == "*" else step for step in alias.new.split(".") if step
        )

    def run(self, node: Node, problems: list[Problem], warnings: list[Problem]) -> None:
        mark = self._mark(node)
        message = self._describe(node)
        if isinstance(node, Scalar) and node.text in self._alias.values:
            node.text = self._alias.values[node.text]
            node.value = node.text
        if self._new != self._old:
            self._remove()
            clash = put_at(self._root, self._new, mark, node) if self._new else None
            self._prune()
            if clash:
                hint = f"{spelled(self._old)} is the old spelling: remove it"
                problems.append(problem_at(mark, self._old, f"{spelled(clash)} is set too", hint=hint))
                return
        warnings.append(problem_at(mark, self._old, message, hint=self._alias.note))

    def _describe(self, node: Node) -> str:
        if not self._new:
            return "has no effect any more"
        changed = isinstance(node, Scalar) and node.text in self._alias.values and not node.variables
        word = quoted(self._alias.values[node.text]) if isinstance(node, Scalar) and changed else ""
        if self._new == self._old:
            return f"old spelling, now {word}" if word else "old spelling"
        return f"old spelling, now {spelled(self._new)}" + (f": {word}" if word else "")

    def _mark(self, node: Node) -> Mark:
        holder = node_at(self._root, self._old[:-1])
        return holder.keys[str(self._old[-1])] if isinstance(holder, Map) else node.mark

    def _remove(self) -> None:
        holder = node_at(self._root, self._old[:-1])
        if isinstance(holder, Map):
            holder.take(str(self._old[-1]))

    def _prune(self) -> None:
        """Take out the mappings that only held the old key; what the user named (`*`) stays."""
        pattern = self._alias.old.split(".")
        for depth in range(len(self._old) - 1, 0, -1):
            holder, left = node_at(self._root, self._old[: depth - 1]), node_at(self._root, self._old[:depth])
            if pattern[depth - 1] == "*" or not isinstance(left, Map) or left.entries:
                return
            if isinstance(holder, Map):
                holder.take(str(self._old[depth - 1]))


def _applies(alias: Alias, node: Node) -> bool:
    if alias.shape and not isinstance(node, alias.shape):
        return False
    if (
        alias.values
        and alias.old == alias.new
        and not (isinstance(node, Scalar) and node.text in alias.values)
    ):
        return False
    for key, allowed in alias.when.items():
        child = child_of(node, key)
        if not isinstance(child, Scalar) or not any(fnmatchcase(child.text, one) for one in allowed):
            return False
    return True
