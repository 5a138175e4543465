"""Loads handlers: a module beside the config wins over an installed one, and shadows nobody else's imports.

A module in the project folder is loaded under its own name. What it imports is looked for where Python looks,
and then in the folder; so a `queue.py` there is the project's own, and never the standard library's.
"""

import importlib
import importlib.machinery
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import HandlerNotUsable
from .handler_name import Named

Handler = Callable[[Any], Any]
"""Takes a turn; an async generator of what it answers, or a coroutine of the one thing that it answers."""


def load(named: Named) -> Handler:
    """Return a handler. Modules of the project folder are read again when a file of theirs has changed.

    Raises:
        HandlerNotUsable: There is none of that name, it cannot be imported, or it is no async function.
    """
    module = _module(named)
    found: Any = module
    for step in named.attribute.split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            raise HandlerNotUsable(_missing(named, module, found, step)) from None
    if not (inspect.isasyncgenfunction(found) or inspect.iscoroutinefunction(found)):
        raise HandlerNotUsable(
            f"{named} is {_kind(found)}; a handler is an async function that takes the turn and yields what "
            f"it answers, or returns it: async def {named.attribute}(turn): yield ..."
        )
    try:
        inspect.signature(found).bind(None)
    except TypeError:
        raise HandlerNotUsable(
            f"{named} cannot be called with the turn alone: write async def {named.attribute}(turn)"
        ) from None
    handler: Handler = found
    return handler


def promises_message(handler: Handler) -> bool:
    """Return whether a handler says that it answers with a plain message: `async def f(turn) -> Message`."""
    said = getattr(handler, "__annotations__", {}).get("return")
    name = said if isinstance(said, str) else getattr(said, "__name__", "")
    return inspect.iscoroutinefunction(handler) and name.rpartition(".")[2] == "Message"


def _module(named: Named) -> ModuleType:
    try:
        if named.folder is not None and _in_folder(named.module.partition(".")[0], named.folder) is not None:
            return _of_folder(named.module, named.folder)
        return importlib.import_module(named.module)
    except ModuleNotFoundError as error:
        if error.name and (named.module == error.name or named.module.startswith(f"{error.name}.")):
            raise HandlerNotUsable(_not_found(named, error.name)) from None
        raise HandlerNotUsable(_broken(named, error)) from None
    except HandlerNotUsable:
        raise
    # The border of code that is not ours: whatever it raises is what is wrong with the config.
    except (Exception, SystemExit) as error:
        raise HandlerNotUsable(_broken(named, error)) from None


def _of_folder(name: str, folder: Path) -> ModuleType:
    siblings = _Siblings.of(folder)
    siblings.forget_what_changed()
    top = name.partition(".")[0]
    known = sys.modules.get(top)
    if known is not None and not _lies_in(known, folder):
        if not _is_ours(known):
            raise HandlerNotUsable(
                f"{folder} has a module {top!r}, and so has Python "
                f"({getattr(known, '__file__', 'built in')}): give the file another name"
            )
        for one in [one for one in sys.modules if one == top or one.startswith(f"{top}.")]:
            del sys.modules[one]  # of another project that was loaded in this process
    if top not in sys.modules:
        spec = _in_folder(top, folder)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[top] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(top, None)
            raise
    found = importlib.import_module(name)
    siblings.remember()
    return found


def _in_folder(name: str, folder: Path) -> ModuleSpec | None:
    finder = importlib.machinery.FileFinder(str(folder), (_Fresh, importlib.machinery.SOURCE_SUFFIXES))
    spec = finder.find_spec(name)
    return spec if spec is not None and spec.loader is not None else None


class _Fresh(importlib.machinery.SourceFileLoader):
    """Reads a module's source every time: compiled code would be stale after two changes in a second."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Siblings:
    """Finds modules of one project folder for imports that nobody else can answer: last on `meta_path`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, int]] = {}
        """Time and size that files had when they were loaded."""

    @classmethod
    def of(cls, folder: Path) -> "_Siblings":
        for finder in sys.meta_path:
            if isinstance(finder, _Siblings) and finder._folder == folder:
                return finder
        made = cls(folder)
        sys.meta_path.append(made)
        return made

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return _in_folder(name, self._folder) if path is None else None

    def forget_what_changed(self) -> None:
        """Let all modules of the folder be loaded anew when a file of one has changed."""
        if any(_stamp(file) != before for file, before in self._read.items()):
            for name in self._loaded():
                del sys.modules[name]
            self._read.clear()
            importlib.invalidate_caches()

    def remember(self) -> None:
        """Take note of what the files look like that are loaded now."""
        for file in {str(sys.modules[name].__file__) for name in self._loaded()}:
            self._read.setdefault(file, _stamp(file))

    def _loaded(self) -> list[str]:
        modules = list(sys.modules.items())
        return [name for name, module in modules if _is_ours(module) and _lies_in(module, self._folder)]


def _stamp(file: str) -> tuple[int, int]:
    try:
        state = Path(file).stat()
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_size


def _is_ours(module: ModuleType) -> bool:
    """Return whether a module was loaded from a project folder by this file, itself or its package."""
    top = sys.modules.get(module.__name__.partition(".")[0], module)
    return isinstance(getattr(top, "__loader__", None), _Fresh)


def _lies_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and Path(str(file)).is_relative_to(folder)


def _not_found(named: Named, name: str) -> str:
    where = f"in {named.folder}, or among what is installed" if named.folder else "among what is installed"
    near = _near(name.rpartition(".")[2], _files(named, name))
    return f"there is no module {name!r} {where}{near}"


def _files(named: Named, name: str) -> list[str]:
    folder = named.folder
    if folder is None:
        return []
    folder = folder.joinpath(*name.split(".")[:-1])
    try:
        return sorted(entry.stem for entry in folder.iterdir() if entry.suffix == ".py" or entry.is_dir())
    except OSError:
        return []


def _missing(named: Named, module: ModuleType, holder: object, step: str) -> str:
    there = [name for name in vars(holder) if not name.startswith("_")] if hasattr(holder, "__dict__") else []
    candidates = [name for name in there if inspect.isasyncgenfunction(getattr(holder, name))] or there
    near = _near(step, there)
    if not near and candidates:
        near = f"; it has {', '.join(candidates[:5])}"
    return f"module {named.module!r} ({getattr(module, '__file__', 'built in')}) has no {step!r}{near}"


def _near(word: str, known: Sequence[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _broken(named: Named, error: BaseException) -> str:
    """Say what a module raised, and at which line of its own."""
    if isinstance(error, SyntaxError):
        line = f"{error.filename}:{error.lineno}"
        return f"module {named.module!r} cannot be imported: {line}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if named.folder and Path(frame.filename).is_relative_to(named.folder)]
    others = [frame for frame in frames if frame.filename != __file__ and not frame.filename.startswith("<")]
    at = (own or others)[-1:]
    where = f"{at[0].filename}:{at[0].lineno}: " if at else ""
    return f"module {named.module!r} cannot be imported: {where}{type(error).__name__}: {error}"


def _kind(found: object) -> str:
    if inspect.isfunction(found):
        return "a function that is not async"
    return f"a {type(found).__name__}"
