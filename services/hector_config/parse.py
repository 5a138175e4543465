"""Reads YAML into a tree with marks, within limits, and says what is wrong with it."""

from collections.abc import Iterator

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from hector_config.events import Unreadable, events_of
from hector_config.problem import Mark, Path, Problem, problem_at
from hector_config.scalars import resolve
from hector_config.tree import Map, Node, Scalar, Seq

MAX_NODES = 100_000
"""Values in one document, those that aliases repeat included."""
MAX_DEPTH = 64

_TAG = "tag:yaml.org,2002:"
_CORE_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}


def parse(text: str, file: str, problems: list[Problem]) -> Map:
    """Return the document's tree; aliases are copied out and merge keys (`<<`) applied.

    Whatever leaves the rest readable (a key given twice, an unknown tag) is added to `problems`.

    Raises:
        Unreadable: It is no YAML, no mapping, or beyond a limit.
    """
    return _Document(file, problems).read(events_of(text, file))


class _Open:
    """A mapping or list whose end has not been read."""

    __slots__ = ("anchor", "dropped", "key", "merges", "node", "size_before")

    def __init__(self, node: Map | Seq, anchor: str | None, size_before: int) -> None:
        self.node = node
        self.anchor = anchor
        self.size_before = size_before
        self.key: Scalar | None = None
        self.dropped = False
        self.merges: list[tuple[Mark, Node]] = []

    @property
    def wants_key(self) -> bool:
        return isinstance(self.node, Map) and self.key is None


class _Document:
    """One pass over the events; a loop, because nesting must not cost stack."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self._file = file
        self._problems = problems
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}  # node, how many values, how deep
        self._size = 0
        self._root: Node | None = None

    def read(self, events: Iterator[Event]) -> Map:
        documents = 0
        for event in events:
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._open(event)
            elif isinstance(event, CollectionEndEvent):
                self._close()
            elif isinstance(event, AliasEvent):
                self._alias(event)
            elif isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._unreadable(
                        self._mark(event), "a second document", "one file is one config: remove ---"
                    )
        root = self._root
        if root is None or (isinstance(root, Scalar) and not root.text and root.plain):
            raise self._unreadable(Mark(self._file, 1, 1), "the file is empty", "{} means all defaults")
        if not isinstance(root, Map):
            found = "a list" if isinstance(root, Seq) else "a single value"
            raise Unreadable(
                problem_at(root.mark, (), "not a config", found=found, allowed="a mapping of sections")
            )
        return root

    def _scalar(self, event: ScalarEvent) -> None:
        mark = self._mark(event)
        self._count(mark)
        plain = not event.style and event.tag is None
        node = Scalar(
            mark,
            event.value,
            resolve(event.value) if plain else event.value,
            plain=plain,
            start=_place(event.start_mark).index,
            end=_place(event.end_mark).index,
        )
        if event.tag is not None:
            self._apply_tag(node, event.tag)
        if event.anchor:
            self._anchors[event.anchor] = (node, 1, 0)
        self._put(node)

    def _apply_tag(self, node: Scalar, tag: str) -> None:
        name = tag.removeprefix(_TAG)
        if tag == "!" or name == "str":
            return
        value = resolve(node.text)
        if name in _CORE_TYPES and isinstance(value, _CORE_TYPES[name]):
            node.value = value
            return
        self._report_tag(node.mark, tag)
        node.doubtful = True

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        mark = self._mark(event)
        self._count(mark)
        if self._stack and self._stack[-1].wants_key:
            raise self._unreadable(mark, "a key must be a word", "quote a value that begins with { or [")
        self._check_depth(mark, len(self._stack) + 1)
        is_map = isinstance(event, MappingStartEvent)
        if event.tag is not None and event.tag not in ("!", _TAG + ("map" if is_map else "seq")):
            self._report_tag(mark, event.tag)
        node = Map(mark) if is_map else Seq(mark)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(node, event.anchor, self._size))

    def _close(self) -> None:
        done = self._stack.pop()
        if isinstance(done.node, Map):
            self._merge(done.node, done.merges)
        if done.anchor:
            self._anchors[done.anchor] = (done.node, self._size - done.size_before + 1, _height(done.node))
        self._put(done.node)

    def _alias(self, event: AliasEvent) -> None:
        mark = self._mark(event)
        known = self._anchors.get(event.anchor or "")
        if known is None:
            inside = any(frame.anchor == event.anchor for frame in self._stack)
            message = "contains itself" if inside else "is not defined above"
            raise self._unreadable(mark, f"the alias *{event.anchor} {message}", "")
        node, size, height = known
        self._count(mark, size)
        self._check_depth(mark, len(self._stack) + height)
        self._put(node.copy())

    def _put(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        frame = self._stack[-1]
        if isinstance(frame.node, Seq):
            frame.node.items.append(node)
        elif frame.key is None:
            self._begin_entry(frame, frame.node, node)
        else:
            key, frame.key = frame.key, None
            if frame.dropped:
                frame.dropped = False
            elif key.plain and key.text == "<<":
                frame.merges.append((key.mark, node))
            else:
                frame.node.put(key.text, key.mark, node)

    def _begin_entry(self, frame: _Open, mapping: Map, key: Node) -> None:
        if not isinstance(key, Scalar):
            raise self._unreadable(key.mark, "a key must be a word", "")
        frame.key = key
        first = mapping.keys.get(key.text)
        if key.plain and key.text == "<<":
            first = frame.merges[0][0] if frame.merges else None
        if first is not None:
            frame.dropped = True
            self._report(key.mark, self._path(), "duplicate key", f"first on line {first.line}")

    def _merge(self, mapping: Map, merges: list[tuple[Mark, Node]]) -> None:
        """Add what `<<` brings and the mapping does not say itself; earlier sources win."""
        for mark, merged in merges:
            for source in merged.items if isinstance(merged, Seq) else [merged]:
                if not isinstance(source, Map):
                    self._report(
                        mark, (*self._path(), "<<"), "only mappings can be merged", "write <<: *name"
                    )
                    continue
                for key, node in source.entries.items():
                    if key not in mapping.entries:
                        mapping.put(key, source.keys[key], node)

    def _count(self, mark: Mark, size: int = 1) -> None:
        self._size += size
        if self._size > MAX_NODES:
            raise self._unreadable(mark, f"more than {MAX_NODES} values, aliases written out", "")

    def _check_depth(self, mark: Mark, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._unreadable(mark, f"nested deeper than {MAX_DEPTH} levels", "")

    def _path(self) -> Path:
        steps: list[str | int] = []
        for frame in self._stack:
            if isinstance(frame.node, Seq):
                steps.append(len(frame.node.items))
            elif frame.key is not None:
                steps.append(frame.key.text)
        return tuple(steps)

    def _mark(self, event: Event) -> Mark:
        place = _place(event.start_mark)
        return Mark(self._file, place.line + 1, place.column + 1)

    def _report(self, mark: Mark, path: Path, message: str, hint: str) -> None:
        self._problems.append(problem_at(mark, path, message, hint=hint))

    def _report_tag(self, mark: Mark, tag: str) -> None:
        shown = tag.replace(_TAG, "!!")
        self._report(
            mark, self._path(), f"the tag {shown} does not fit here", "write the value without a tag"
        )

    def _unreadable(self, mark: Mark, message: str, hint: str) -> Unreadable:
        return Unreadable(problem_at(mark, self._path(), message, hint=hint))


def _place(mark: object) -> yaml.Mark:
    assert mark is not None  # only emitters make events without
    return mark  # type: ignore[return-value]  # libyaml's marks and PyYAML's are two classes alike


def _height(node: Node) -> int:
    if isinstance(node, Scalar):
        return 0
    children = node.entries.values() if isinstance(node, Map) else node.items
    return 1 + max(map(_height, children), default=0)
