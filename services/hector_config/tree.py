"""A YAML document as a tree that remembers where everything stands."""

from collections.abc import Iterator

from hector_config.problem import Mark, Path
from hector_config.scalars import Value


class Scalar:
    """A word, a number, a quoted or block string."""

    __slots__ = (
        "doubtful",
        "end",
        "mark",
        "only_variables",
        "plain",
        "reread",
        "start",
        "text",
        "value",
        "variables",
    )

    def __init__(
        self, mark: Mark, text: str, value: Value, *, plain: bool, start: int = 0, end: int = 0
    ) -> None:
        self.mark = mark
        self.text = text
        """What is written, and after interpolation what it became."""
        self.value = value
        self.plain = plain
        """Not quoted: the text may mean a number, a boolean or nothing."""
        self.start = start
        self.end = end
        """Where it stands in the document, as a slice."""
        self.variables: tuple[str, ...] = ()
        """The environment variables in it. Such a value is never shown."""
        self.only_variables = False
        """Nothing but references to variables is written there."""
        self.doubtful = False
        """Something about it is already reported: what follows from its value is noise."""
        self.reread = False
        """The validator has already been offered the other reading of an interpolated value."""

    def copy(self) -> "Scalar":
        twin = Scalar(self.mark, self.text, self.value, plain=self.plain, start=self.start, end=self.end)
        twin.doubtful = self.doubtful
        return twin


class Map:
    """A mapping: its entries in order, and where each key stands."""

    __slots__ = ("entries", "keys", "mark")

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, Mark] = {}

    def put(self, key: str, mark: Mark, node: "Node") -> None:
        self.entries[key] = node
        self.keys[key] = mark

    def take(self, key: str) -> tuple[Mark, "Node"]:
        return self.keys.pop(key), self.entries.pop(key)

    def copy(self) -> "Map":
        twin = Map(self.mark)
        twin.entries = {key: node.copy() for key, node in self.entries.items()}
        twin.keys = dict(self.keys)
        return twin


class Seq:
    """A list."""

    __slots__ = ("items", "mark")

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.items: list[Node] = []

    def copy(self) -> "Seq":
        twin = Seq(self.mark)
        twin.items = [node.copy() for node in self.items]
        return twin


Node = Scalar | Map | Seq
Data = Value | list["Data"] | dict[str, "Data"]


def data_of(node: Node) -> Data:
    """Return the plain values of a tree."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Map):
        return {key: data_of(child) for key, child in node.entries.items()}
    return [data_of(child) for child in node.items]


def child_of(node: Node | None, step: str | int) -> Node | None:
    if isinstance(node, Map):
        return node.entries.get(str(step))
    if isinstance(node, Seq) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def node_at(root: Node, path: Path) -> Node | None:
    node: Node | None = root
    for step in path:
        node = child_of(node, step)
    return node


def mark_at(root: Node, path: Path) -> Mark:
    """Return where a value stands; for what is not there, where the nearest thing around it does.

    A mapping or a list stands where its key does, a scalar where it begins.
    """
    node, mark = root, root.mark
    for step in path:
        child = child_of(node, step)
        if child is None:
            break
        in_block = isinstance(node, Map) and not isinstance(child, Scalar)
        mark = node.keys[str(step)] if in_block and isinstance(node, Map) else child.mark
        node = child
    return mark


def key_mark_at(root: Node, path: Path) -> Mark:
    """Return where the last key of a path stands."""
    holder = node_at(root, path[:-1])
    mark = holder.keys.get(str(path[-1])) if isinstance(holder, Map) and path else None
    return mark or mark_at(root, path)


def scalars_of(node: Node, path: Path = ()) -> Iterator[tuple[Path, Scalar]]:
    """Yield every scalar with its path, in the order of the document."""
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Map):
        for key, child in node.entries.items():
            yield from scalars_of(child, (*path, key))
    else:
        for position, child in enumerate(node.items):
            yield from scalars_of(child, (*path, position))


def matches(node: Node, pattern: str) -> Iterator[tuple[Path, Map | Seq]]:
    """Yield every path that a pattern (`llms.*.type`) meets, with the mapping or list that holds it."""
    yield from _descend(node, tuple(pattern.split(".")), ())


def _descend(node: Node, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Map | Seq]]:
    if isinstance(node, Scalar):
        return
    wanted, *rest = pattern
    every: list[str | int] = list(node.entries) if isinstance(node, Map) else list(range(len(node.items)))
    for step in every:
        if wanted not in ("*", step):
            continue
        child = child_of(node, step)
        if not rest:
            yield (*path, step), node
        elif child is not None:
            yield from _descend(child, tuple(rest), (*path, step))


class Marks:
    """Tells where in the file a value of the config was written."""

    __slots__ = ("_root",)

    def __init__(self, root: Map) -> None:
        self._root = root

    def __getitem__(self, path: Path | str) -> Mark:
        """Return the position of a path such as `"agents.writer.tools[0]"` or `("agents", "writer")`.

        What is not in the file (a default) is where the nearest thing around it is.
        """
        return mark_at(self._root, _parsed(path) if isinstance(path, str) else path)

    def __contains__(self, path: Path | str) -> bool:
        return node_at(self._root, _parsed(path) if isinstance(path, str) else path) is not None


def _parsed(path: str) -> Path:
    steps: list[str | int] = []
    for part in path.split("."):
        name, *positions = part.replace("]", "").split("[")
        steps += [name] if name else []
        steps += [int(position) for position in positions if position.isdecimal()]
    return tuple(steps)
